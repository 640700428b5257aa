//! Node autoscalers: when to add a node, when to take one away.
