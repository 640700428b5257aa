//! EndpointSlices, kube-proxy and ingress: who is sent traffic, and how late.
