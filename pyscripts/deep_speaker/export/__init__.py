"""Models for other programs: ONNX and TorchScript files of the path from samples to an embedding.

Takes a checkpoint, and gives a file that needs neither this code nor, as ONNX, torch. Start with
`writing` (the two files) and `sample_network` (the path as one torch module), then `front_ends`,
`voice` and `pieces`, its parts, and `tracing` (what a file says of itself, and how it is checked).
`voices.onnx_embedder` runs the ONNX file.
"""
