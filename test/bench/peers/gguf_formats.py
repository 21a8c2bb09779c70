"""Other formats of a GGUF file, made by llama.cpp's own quantizer. Arguments: FILE FOLDER"""
import ctypes
import os
import sys

import llama_cpp

source, folder = sys.argv[1:3]
os.makedirs(folder, exist_ok=True)
name = os.path.basename(source).rsplit(".", 2)[0]
for form, kind in (
    ("Q4_0", llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0),
    ("Q4_K", llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M),
    ("Q8_0", llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0),
):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize, params.nthread = kind, True, 1
    target = f"{folder}/{name}.{form}.gguf"
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)) != 0:
        sys.exit(f"{form}: llama.cpp's quantizer failed")
    print(target)
