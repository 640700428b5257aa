//! LimitRange, ResourceQuota and PriorityClass, as admission applies them.
