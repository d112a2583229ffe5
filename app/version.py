"""The version of the project: the service, the client, the images and the charts have this one."""

VERSION = "0.2.0"
