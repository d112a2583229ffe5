"""The Open Inference Protocol over gRPC, with health and reflection; needs the extra `grpc`."""
