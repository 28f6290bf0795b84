"""AVGN outside of Python training code: graphs of fixed shapes, ``torch.export`` and ONNX."""
