"""The Open Inference Protocol, version 2: the fields of requests and answers as tensors."""
