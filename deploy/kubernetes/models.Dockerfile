# A service's image with the models of the folder models/, beside the one that it has:
#   buildah bud -f deploy/kubernetes/models.Dockerfile --build-arg BASE=registry/senet-serving:cpu -t registry/my-senet:1 .
# With BASE=scratch an image that holds nothing but models, for the component model-image.
ARG BASE=senet-serving:cpu
FROM ${BASE}
COPY models /models
