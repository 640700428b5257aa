//! The VPA recommender.
