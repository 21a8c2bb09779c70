"""Golden texts of chat templates: `python3 make.py > templates.json`. jinja2 3.1.6 (PyPI), set up as transformers 4.57.6 does in
utils/chat_template_utils.py. The templates were written for this file, each with the constructs of a published family."""
import json, sys
from datetime import datetime
import jinja2
from jinja2.ext import loopcontrols, Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = lambda form: datetime(2026, 3, 7, 9, 5, 1).strftime(form)

short = [{"role": "user", "content": "Once upon a time"}]
long = [
    {"role": "system", "content": "Be brief.\n"},
    {"role": "user", "content": " Hi \"you\" & <all>\n"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello! \u00e9\U0001f600"},
    {"role": "user", "content": "Bye"},
]

expressions = r"""
{{ 'a-b-c'.rsplit('-', 1)[0] }}
{{ 'a b  c'.rsplit(none, 1) }}
{{ ' a  b c '.split() }}
{{ ' a  b c '.split(none, 1) }}
{{ 'a,b,,c'.split(',') }}
{{ 'a,b,,c'.split(',', 2) }}
{{ 'a,b,c'.split(',', maxsplit=1) }}
{{ 'a\nb\r\nc\n'.splitlines() }}
{{ 'a\nb'.splitlines(true) }}
{{ ' '.join(['a', 'b']) }}
{{ ''.join('ab') }}
{{ 'abc'.find('c') }}
{{ 'abc'.find('z') }}
{{ 'abcabc'.rfind('b') }}
{{ 'abc'.index('b') }}
{{ 'aba'.count('a') }}
{{ 'aaa'.count('') }}
{{ '%s' % 'a' }}
{{ '%s and %s' % ('a', 1) }}
{{ '%d%%' % 5 }}
{{ '%05.2f|%-4s|%+d' % (3.14159, 'x', 7) }}
{{ '%(a)s' % {'a': 1} }}
{{ '%r' % 'it' }}
{{ '%x' % 255 }}
{{ '{}'.format('a') }}
{{ '{1}{0}'.format('a', 'b') }}
{{ '{n:>5}|{n:<5}|{n:^5}'.format(n='ab') }}
{{ '{:.2f} {:,} {:03d}'.format(2.5, 1234567, 7) }}
{{ '{{}} {!r}'.format('q') }}
{{ "%s" | format('a') }}
{{ messages | selectattr('role', 'in', ['user']) | list | length }}
{{ messages | selectattr('role', '==', 'user') | list | length }}
{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('|') }}
{{ messages | rejectattr('role', 'equalto', 'user') | list | length }}
{{ messages | selectattr('tool_calls') | list }}
{{ messages | selectattr('tool_calls', 'defined') | list }}
{{ messages | map(attribute='name', default='x') | list }}
{{ [1, 2, 3, 4] | select('odd') | list }}
{{ [1, 2, 3, 4] | reject('divisibleby', 2) | list }}
{{ [0, 1, '', 'a'] | select | list }}
{{ ['a'] | map('upper') | join }}
{{ ['a', 'b'] | map('replace', 'a', 'c') | list }}
{{ [1, 5] | max }}
{{ [3, 1] | min }}
{{ [] | max }}
{{ ['b', 'A'] | min }}
{{ [1, 2] | sum }}
{{ [{'n': 1}, {'n': 2}] | sum(attribute='n') }}
{{ [1.5, 2] | sum }}
{{ 3.456 | round(1) }}
{{ 2.5 | round }}
{{ 3.2 | round(method='ceil') }}
{{ 0.125 | round(2) }}
{{ 7 | round }}
{% with a = 1 %}{{ a }}{% endwith %}
{% set a = 5 %}{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% for x in [1, 2] %}{% with y = x %}{{ loop.index }}{{ y }}{% endwith %}{% endfor %}
{% raw %}{{ x }}{% endraw %}
a {%- raw -%} {% if %} {%- endraw -%} b
{% for a, b in [('x', 1)] %}{{ a }}{{ b }}{% endfor %}
{% for a, b in {'x': 1, 'y': 2}.items() %}{{ a }}{{ b }}{% endfor %}
{% for a in 'xyz' %}{{ a }}{% endfor %}
{% for k in {'x': 1} %}{{ k }}{% endfor %}
{% for k, v in {'b': 1, 'a': 2} | dictsort %}{{ k }}{{ v }}{% endfor %}
{% for k, v in {'b': 1, 'a': 2} | dictsort(false, 'value', true) %}{{ k }}{{ v }}{% endfor %}
{% for k, v in {'b': 1} | items %}{{ k }}{{ v }}{% endfor %}
{{ 'y' if 'a' is in(['a']) else 'n' }}
{{ 'y' if 'a' is not in(['a']) else 'n' }}
{{ 6 is divisibleby 3 }}
{{ 6 is divisibleby(4) }}
{{ 1 is eq 1.0 }}
{{ 1 is sameas 1.5 }}
{{ none is sameas none }}
{{ 'a' is ne 'b' and 2 is gt 1 }}
{{ 3 is number and 3 is integer and 3.0 is float and true is boolean }}
{{ true is integer }} {{ true is number }}
{{ {} is mapping }} {{ [] is mapping }} {{ [] is sequence }} {{ 'a' is iterable }} {{ 1 is iterable }}
{{ {} is iterable }} {{ (1, 2) is iterable }} {{ nope is iterable }}
{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ '1' is lower }}
{{ nope is defined }} {{ nope is not defined }} {{ nope is undefined }} {{ tools is defined }} {{ tools is none }}
{{ namespace is callable }}
{{ 'a' ~ none }}
{{ 'a' ~ 1 ~ true ~ 1.0 ~ nope }}
{{ none }} {{ true }} {{ false }}
{{ [1, 'a', none, true, 1.0, {'k': 'v'}, (1,)] }}
{{ ["it's", 'say "x"', 'tab\t', 'é', '😀'] }}
{{ (1, 2) }} {{ () }} {{ {} }} {{ [] }}
{{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e3 if false else 100000.0 * 100000.0 * 1000000.0 }} {{ 0.00001 * 1 }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 2 ** 3 }} {{ 2 ** -1 }}
{{ 1 + true }} {{ -true }} {{ not none }}
{{ 'ab' * 2 }} {{ [0] * 2 }} {{ 2 * 'x' }}
{{ [1] + [2] }} {{ (1,) + (2,) }}
{{ '##a##'.strip('#') }}
{{ 'xxaxx'.lstrip('x') }} {{ 'xxaxx'.rstrip('x') }}
{{ '  a '.strip() }}|{{ '  a '.lstrip() }}|{{ '  a '.rstrip() }}
{{ '</s>a</s>'.strip('</s>') }}
{{ 'y' if ['a'] == ['a'] else 'n' }}
{{ {'a': [1]} == {'a': [1.0]} }} {{ [1] == (1,) }} {{ 1 == true }} {{ '1' == 1 }} {{ none == false }} {{ 0 == false }}
{{ 'a' in ['a', 'b'] }} {{ [1] in [[1]] }} {{ 'a' in {'a': 1} }} {{ 'ab' in 'cabd' }} {{ 'a' not in nope }}
{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1 == 1 }} {{ 1 < 2 == true }}
{{ (1 < 2) == true }} {{ ('a' == 'b') != (1 == 1) }}
{{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 'B' < 'a' }}
{% set ns = namespace(on=true) %}{% for x in [1, 2, 3] if ns.on %}{% set ns.on = false %}{{ x }}{% endfor %}
{% set ns = namespace(n=0) %}{% for x in [1, 2] %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 9 %}{% endfor %}{{ x }}
{% for i in [1, 2] %}{% if loop.first %}{% set y = 1 %}{% endif %}{{ y is defined }}{% endfor %}
{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}
{% for x in [1, 2, 3] %}{% if x == 2 %}a{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in [] %}{{ x }}{% else %}none{% endfor %}
{% for x in [1, 2] %}{% continue %}{% else %}none{% endfor %}
{% for x in [1, 2, 3] if x != 2 %}{{ loop.index }}{{ loop.length }}{{ loop.last }}{{ loop.revindex }};{% endfor %}
{% for x in [1, 2] %}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.index0 }}{{ loop.revindex0 }}{% endfor %}
{% for x in 'abc' %}{{ loop.cycle('x', 'y') }}{% endfor %}
{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}
{% for x in range(3) %}{{ x }}{% endfor %}{{ range(2, 8, 3) | list }}{{ range(3, 0, -1) | list }}{{ range(3) }}
{% macro m(a, b='x') %}{{ a }}{{ b }}{{ caller is defined }}{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}{{ m(b=1, a=2) }}
{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}x{% endcall %}
{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}
{% macro m() %}{{ x }}{% endmacro %}{% for x in [1] %}{{ m() }}{% endfor %}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, a=2) }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set a = [1, 2] %}{% set b, c = a %}{{ c }}
{% set t %} x {% endset %}[{{ t }}]
{% filter upper %}ab{% endfilter %}
{% generation %}x{% endgeneration %}
{{ 'x' if false }}|
{{ 'a' if 1 else 'b' if 2 else 'c' }}
{{ none or 'a' }} {{ '' or 0 }} {{ 1 and 'b' }} {{ 0 and 1 }}
{{ nope | default('d') }} {{ '' | default('d') }} {{ '' | default('d', true) }} {{ none | d('e') }}
{{ messages[0].role }} {{ messages[0]['content'] }} {{ messages[-1].role }} {{ messages[5] }}|
{{ messages[0].get('role') }} {{ messages[0].get('no') }} {{ messages[0].get('no', 'z') }}
{{ {'items': 1}['items'] }} {{ {'a': 1}.a }} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }}
{{ {'a': 1}.items() }} {{ {'a': 1}.keys() }}
{{ 'abcdef'[1:3] }} {{ 'abcdef'[:-2] }} {{ 'abcdef'[::-1] }} {{ 'abcdef'[::2] }} {{ [1, 2, 3][1:] }} {{ (1, 2, 3)[:2] }}
{{ 'a😀b'[1] }} {{ 'a😀b' | length }} {{ '😀'[::-1] }}
{{ 'hello world'.title() }} {{ "it's HERE" | title }} {{ "it's".title() }} {{ 'hELLO'.capitalize() }} {{ 'hELLO' | capitalize }}
{{ 'aBc'.swapcase() }} {{ 'aB'.upper() }} {{ 'aB'.lower() }} {{ 'ß'.upper() }}
{{ 'abc'.startswith('a') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('c') }} {{ 'abc'.startswith('b', 1) }}
{{ 'abc'.replace('b', 'x') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'ab'.replace('', '-') }} {{ 'aaa' | replace('a', 'b', 1) }}
{{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('=') }}
{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'abc'.removesuffix('x') }}
{{ '7'.zfill(3) }} {{ '-7'.zfill(3) }} {{ 'a'.ljust(3, '.') }} {{ 'a'.rjust(3) }}| {{ 'ab'.center(5, '*') }} {{ 'a'.center(4, '*') }}
{{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ''.isdigit() }} {{ ' '.isspace() }} {{ 'Ab'.istitle() }} {{ 'ab'.islower() }} {{ 'AB'.isupper() }}
{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }}
{{ ['a', 'b'] | first }} {{ ['a', 'b'] | last }} {{ [] | first }}| {{ 'ab' | first }} {{ 'ab' | last }}
{{ 'ab' | list }} {{ {'a': 1} | list }} {{ 'ab' | reverse }} {{ [1, 2] | reverse | list }}
{{ ['b', 'a', 'C'] | sort }} {{ ['b', 'a', 'C'] | sort(case_sensitive=true) }} {{ [1, 3, 2] | sort(reverse=true) }} {{ [{'n': 2}, {'n': 1}] | sort(attribute='n') }}
{{ [1, 2, 1] | unique | list }} {{ ['a', 'A'] | unique | list }}
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 'x') | list }} {{ [1, 2, 3, 4, 5] | slice(2) | list }}
{% for k, g in [{'t': 'a', 'n': 1}, {'t': 'b', 'n': 2}, {'t': 'a', 'n': 3}] | groupby('t') %}{{ k }}{{ g | map(attribute='n') | list }}{% endfor %}
{{ '12' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 3.9 | int }} {{ -3.9 | int }} {{ '3.7' | int }} {{ '2.5' | float }} {{ 'x' | float }} {{ 2 | float }} {{ true | int }}
{{ -3 | abs }} {{ -2.5 | abs }} {{ 5 | string ~ 'x' }} {{ none | string }} {{ [1] | string }}
{{ ' a ' | trim }}| {{ 'xax' | trim('x') }} {{ 'a b c' | wordcount }} {{ 'a' | center(5) }}|
{{ 'a\nb\n\nc' | indent }} {{ 'a\nb' | indent(2, true) }} {{ 'a\n\nb' | indent(1, blank=true) }} {{ 'a\nb' | indent('> ') }}
{{ '<a href="x">&' | e }} {{ '<b>' | safe }}
{{ {'a': [1, 2.0, none, true, 'é"\n<']} | tojson }}
{{ {'b': 1, 'a': {}} | tojson(indent=2) }} {{ [] | tojson(indent=2) }} {{ [1, [2]] | tojson(indent=4) }}
{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ 'é' | tojson(ensure_ascii=true) }} {{ {'a': 1} | tojson(separators=(',', ':')) }}
{{ 'a' 'b' }} {{ "x\ty" }} {{ 'a\'b' }} {{ '\u00e9' }}
{{ [1, 2] | join(', ') }} {{ [{'a': 1}] | join(',', attribute='a') }} {{ [1, none, true] | join('-') }}
{{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ dict({'a': 1}, b=2) }}
{% set j = joiner('; ') %}{% for x in [1, 2] %}{{ j() }}{{ x }}{% endfor %}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}
{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%d %H:%M:%S') }} {{ strftime_now('%A, %B %-d, %j %I %p %y') }}
{{ messages | length }} {{ messages | count }} {{ nope | length }} {{ {'a': 1} | length }}
{{ not 1 == 2 }} {{ not 'a' in ['a'] }} {{ 'a' not in ['b'] }}
{{ (messages | first).role }} {{ messages | map(attribute='role') | first }} {{ [messages[0]] | map('length') | list }}
{{ messages[0].content[:4] + '!' }} {{ messages[0].content.split(' ')[-1] }} {{ messages[0].content.split()[1:] | join(' ') }}
a{# note #}b{#- note -#} c
  {% if true %}x{% endif %}
{%- if true -%}  x  {%- endif -%}
{{ messages.0.role }} {{ [[1, 2]][0][1] }} {{ {'a': {'b': [3]}}.a.b[0] }}
{{ raise_exception('no') }}
{{ 'é 😀 b' | wordcount }}
{{ nope is callable }} {{ messages[0].nope[0] is defined }}
{{ nope | int }}
{{ 5 | indent }}
{{ nope.x }}
{{ messages[0].nope.x }}
{{ nope() }}
{{ nope + 1 }}
{{ 'a' + 1 }}
{{ 'a' + none }}
{{ [] + () }}
{{ 1 / 0 }}
{{ none + 'a' }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ nope | tojson }}
{{ 1 | nofilter }}
{{ 1 is notest }}
{{ [1].append(2) }}
{{ {'a': 1}.update({'b': 2}) }}
{{ {'a': 1}.pop('a') }}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{{ 5 | length }}
{{ '%d' % 'a' }}
{{ '%s %s' % 'a' }}
{{ 'a'.index('z') }}
{{ 'a' in 5 }}
{{ 1 in 'a' }}
{{ messages | map('nofilter') | list }}
{{ [1, 'a'] | sort }}
{{ [1, 'a'] | sum }}
{{ 'x'.split('') }}
{% set x.y = 1 %}
{{ {}[none] }}|
{{ range(1000000) | length }}
{{ 'abc'.nosuch() }}
{{ true.foo }}|
{% if %}x{% endif %}
{% for x in [1] %}
{{ (1 }}
{% endif %}
{{ 'a }}
""".strip("\n").split("\n")

families = {
    "chatml": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama 2": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "llama 3.2": "{{- bos_token }}\n{%- if custom_tools is defined %}\n    {%- set tools = custom_tools %}\n{%- endif %}\n{%- if not date_string is defined %}\n    {%- if strftime_now is defined %}\n        {%- set date_string = strftime_now(\"%d %b %Y\") %}\n    {%- else %}\n        {%- set date_string = \"26 Jul 2024\" %}\n    {%- endif %}\n{%- endif %}\n{%- if not tools is defined %}\n    {%- set tools = none %}\n{%- endif %}\n{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content']|trim %}\n    {%- set messages = messages[1:] %}\n{%- else %}\n    {%- set system_message = \"\" %}\n{%- endif %}\n{{- \"<|h|>system<|/h|>\\n\\n\" }}\n{%- if tools is not none %}\n    {{- \"Environment: ipython\\n\" }}\n{%- endif %}\n{{- \"Today Date: \" + date_string + \"\\n\\n\" }}\n{{- system_message }}\n{%- for message in messages %}\n    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}\n        {{- '<|h|>' + message['role'] + '<|/h|>\\n\\n'+ message['content'] | trim + '<|eot|>' }}\n    {%- elif 'tool_calls' in message %}\n        {{- message.tool_calls | tojson(indent=4) }}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|h|>assistant<|/h|>\\n\\n' }}\n{%- endif %}\n",
    "gemma 3": "{{ bos_token }}\n{%- if messages[0]['role'] == 'system' -%}\n    {%- if messages[0]['content'] is string -%}\n        {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}\n    {%- else -%}\n        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}\n    {%- endif -%}\n    {%- set loop_messages = messages[1:] -%}\n{%- else -%}\n    {%- set first_user_prefix = \"\" -%}\n    {%- set loop_messages = messages -%}\n{%- endif -%}\n{%- for message in loop_messages -%}\n    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}\n        {{ raise_exception(\"Conversation roles must alternate user/assistant/user/assistant/...\") }}\n    {%- endif -%}\n    {%- if (message['role'] == 'assistant') -%}\n        {%- set role = \"model\" -%}\n    {%- else -%}\n        {%- set role = message['role'] -%}\n    {%- endif -%}\n    {{ '<turn>' + role + '\n' + (first_user_prefix if loop.first else \"\") }}\n    {%- if message['content'] is string -%}\n        {{ message['content'] | trim }}\n    {%- elif message['content'] is iterable -%}\n        {%- for item in message['content'] -%}{{ item['text'] | trim }}{%- endfor -%}\n    {%- else -%}\n        {{ raise_exception(\"Invalid content type\") }}\n    {%- endif -%}\n    {{ '<end>\n' }}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n    {{'<turn>model\n'}}\n{%- endif -%}\n",
    "qwen 3": "{%- if tools %}\n    {{- '<|im_start|>system\\n# Tools' }}\n{%- else %}\n    {%- if messages[0].role == 'system' %}\n        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n    {%- endif %}\n{%- endif %}\n{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}\n{%- for message in messages[::-1] %}\n    {%- set index = (messages|length - 1) - loop.index0 %}\n    {%- if ns.multi_step_tool and message.role == \"user\" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}\n        {%- set ns.multi_step_tool = false %}\n        {%- set ns.last_query_index = index %}\n    {%- endif %}\n{%- endfor %}\n{%- for message in messages %}\n    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) %}\n        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n    {%- elif message.role == \"assistant\" %}\n        {%- set content = message.content %}\n        {%- set reasoning_content = '' %}\n        {%- if message.reasoning_content is string %}\n            {%- set reasoning_content = message.reasoning_content %}\n        {%- else %}\n            {%- if '</think>' in content %}\n                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}\n                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n            {%- endif %}\n        {%- endif %}\n        {%- if loop.index0 > ns.last_query_index and (loop.last or reasoning_content) %}\n            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}\n        {%- else %}\n            {{- '<|im_start|>' + message.role + '\\n' + content }}\n        {%- endif %}\n        {{- '<|im_end|>\\n' }}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n    {%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n{%- endif %}",
    "deepseek r1": "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<|U|>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<|A|>' + content + '<|E|>'}}{%- endif %}{%- endfor -%}{% if ns.is_tool %}{{'<|T|>'}}{% endif %}{% if add_generation_prompt and not ns.is_tool %}{{'<|A|>'}}{% endif %}",
    "mistral v3": "{%- if messages[0][\"role\"] == \"system\" %}\n    {%- set system_message = messages[0][\"content\"] %}\n    {%- set loop_messages = messages[1:] %}\n{%- else %}\n    {%- set loop_messages = messages %}\n{%- endif %}\n{%- if not tools is defined %}\n    {%- set tools = none %}\n{%- endif %}\n{%- set user_messages = loop_messages | selectattr(\"role\", \"equalto\", \"user\") | list %}\n{%- set ns = namespace() %}\n{%- set ns.index = 0 %}\n{%- for message in loop_messages %}\n    {%- if not (message.role == \"tool\" or message.role == \"tool_results\" or (message.tool_calls is defined and message.tool_calls is not none)) %}\n        {%- if (message[\"role\"] == \"user\") != (ns.index % 2 == 0) %}\n            {{- raise_exception(\"roles must alternate\") }}\n        {%- endif %}\n        {%- set ns.index = ns.index + 1 %}\n    {%- endif %}\n{%- endfor %}\n{{- bos_token }}\n{%- for message in loop_messages %}\n    {%- if message[\"role\"] == \"user\" %}\n        {%- if tools is not none and (message == user_messages[-1]) %}\n            {{- \"[AVAILABLE_TOOLS]\" }}\n        {%- endif %}\n        {%- if loop.last and system_message is defined %}\n            {{- \"[INST]\" + system_message + \"\\n\\n\" + message[\"content\"] + \"[/INST]\" }}\n        {%- else %}\n            {{- \"[INST]\" + message[\"content\"] + \"[/INST]\" }}\n        {%- endif %}\n    {%- elif message[\"role\"] == \"assistant\" %}\n        {{- message[\"content\"] + eos_token}}\n    {%- else %}\n        {{- raise_exception(\"Only user and assistant roles are supported\") }}\n    {%- endif %}\n{%- endfor %}\n",
    "phi 3": "{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    "gpt-oss": "{%- macro render_builtin(names) %}\n    {%- for name in names %}\n        {{- \"## \" + name + \"\\n\" }}\n    {%- endfor %}\n{%- endmacro -%}\n{%- macro build_system() -%}\n    {{- \"You are a model.\\n\" }}\n    {{- \"Current date: \" + strftime_now(\"%Y-%m-%d\") + \"\\n\\n\" }}\n    {%- if reasoning_effort is not defined %}\n        {%- set reasoning_effort = \"medium\" %}\n    {%- endif %}\n    {{- \"Reasoning: \" + reasoning_effort + \"\\n\\n\" }}\n    {%- if builtin_tools is defined and builtin_tools is not none %}\n        {{- render_builtin(builtin_tools) }}\n    {%- endif -%}\n    {{- \"# Valid channels: analysis, final.\" }}\n{%- endmacro -%}\n{{- \"<|start|>system<|message|>\" }}\n{{- build_system() }}\n{{- \"<|end|>\" }}\n{%- if messages[0].role == \"developer\" or messages[0].role == \"system\" %}\n    {%- set developer_message = messages[0].content %}\n    {%- set loop_messages = messages[1:] %}\n{%- else %}\n    {%- set developer_message = \"\" %}\n    {%- set loop_messages = messages %}\n{%- endif %}\n{%- if developer_message or tools %}\n    {{- \"<|start|>developer<|message|>\" }}\n    {%- if developer_message %}\n        {{- \"# Instructions\\n\\n\" }}\n        {{- developer_message }}\n    {%- endif -%}\n    {{- \"<|end|>\" }}\n{%- endif %}\n{%- set last_tool_call = namespace(name=none) %}\n{%- for message in loop_messages -%}\n    {%- if message.role == 'assistant' -%}\n        {%- if \"content\" in message %}\n            {%- if \"<|channel|>\" in message.content %}\n                {{- raise_exception(\"tags in content\") }}\n            {%- endif %}\n        {%- endif %}\n        {%- if loop.last and not add_generation_prompt %}\n            {{- \"<|start|>assistant<|channel|>final<|message|>\" + message.content + \"<|return|>\" }}\n        {%- else %}\n            {{- \"<|start|>assistant<|channel|>final<|message|>\" + message.content + \"<|end|>\" }}\n            {%- set last_tool_call.name = none %}\n        {%- endif %}\n    {%- elif message.role == 'user' -%}\n        {{- \"<|start|>user<|message|>\" + message.content + \"<|end|>\" }}\n    {%- endif -%}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n<|start|>assistant\n{%- endif -%}",
    "smollm 3": "{# ───── defaults ───── #}\n{%- if enable_thinking is not defined -%}\n{%- set enable_thinking = true -%}\n{%- endif -%}\n{%- if enable_thinking -%}\n  {%- set reasoning_mode = \"/think\" -%}\n{%- else -%}\n  {%- set reasoning_mode = \"/no_think\" -%}\n{%- endif -%}\n{{- \"<|im_start|>system\\n\" -}}\n{%- if messages[0].role == \"system\" -%}\n  {%- set system_message = messages[0].content -%}\n  {%- if \"/no_think\" in system_message -%}\n    {%- set reasoning_mode = \"/no_think\" -%}\n  {%- endif -%}\n  {%- set custom_instructions = system_message.replace(\"/no_think\", \"\").replace(\"/think\", \"\").rstrip() -%}\n{%- endif -%}\n{%- if \"/system_override\" in system_message -%}\n  {{- custom_instructions.replace(\"/system_override\", \"\").rstrip() -}}\n{%- else -%}\n  {{- \"## Metadata\\n\\n\" -}}\n  {{- \"Today Date: \" -}}\n  {%- set today = strftime_now(\"%d %B %Y\") -%}\n  {{- today ~ \"\\n\" -}}\n  {{- \"Reasoning Mode: \" + reasoning_mode + \"\\n\\n\" -}}\n  {%- if custom_instructions -%}\n    {{- custom_instructions + \"\\n\\n\" -}}\n  {%- endif -%}\n{%- endif -%}\n{%- for message in messages -%}\n  {%- set content = message.content if message.content is string else \"\" -%}\n  {%- if message.role == \"user\" -%}\n    {{ \"<|im_start|>\" + message.role + \"\\n\"  + content + \"<|im_end|>\\n\" }}\n  {%- elif message.role == \"assistant\" -%}\n    {% generation %}\n    {%- if reasoning_mode == \"/think\" -%}\n      {{ \"<|im_start|>assistant\\n\" + content.lstrip(\"\\n\") + \"<|im_end|>\\n\" }}\n    {%- else -%}\n      {{ \"<|im_start|>assistant\\n\" + \"<think>\\n\\n</think>\\n\" + content.lstrip(\"\\n\") + \"<|im_end|>\\n\" }}\n    {%- endif -%}\n    {% endgeneration %}\n  {%- endif -%}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n  {{ \"<|im_start|>assistant\\n\" }}\n{%- endif -%}\n",
}


def render(template, messages):
    """text, or None where Python refuses it"""
    try:
        compiled = environment.from_string(template)
        return compiled.render(messages=messages, tools=None, documents=None, add_generation_prompt=True, bos_token="<s>", eos_token="</s>")
    except Exception as error:
        print(template[:60], "->", type(error).__name__, error, file=sys.stderr)
        return None


json.dump(
    {
        "versions": {"jinja2": jinja2.__version__, "set up as": "transformers 4.57.6"},
        "now": "2026-03-07T09:05:01",
        "short": short,
        "long": long,
        "expressions": [[each, render(each, short)] for each in expressions],
        "families": [[name, template, render(template, short), render(template, long)] for name, template in families.items()],
    },
    sys.stdout, ensure_ascii=True, indent=1,
)
print()
