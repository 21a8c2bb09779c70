"""The q8 and q4 forms transformers.js loads, made as its own conversion script makes them. Argument: the folder with the two graphs"""
import sys

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

folder = sys.argv[1]
for name in ("encoder_model", "decoder_model_merged"):
    source = f"{folder}/{name}.onnx"
    quantize_dynamic(source, f"{folder}/{name}_quantized.onnx", weight_type=QuantType.QInt8, extra_options={"EnableSubgraph": True})
    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=32, is_symmetric=True)
    quantizer.process()
    onnx.save(quantizer.model.model, f"{folder}/{name}_q4.onnx")
