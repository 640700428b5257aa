//! StatefulSet order: which ordinal is created, updated or deleted next.
