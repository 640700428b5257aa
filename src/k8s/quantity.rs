//! Resource quantities (`500m`, `2Gi`, `1e3`), parsed and printed exactly.
