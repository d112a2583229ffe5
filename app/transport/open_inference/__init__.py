"""The Open Inference Protocol (version 2 of KServe's, also Triton's): what REST and gRPC share."""
