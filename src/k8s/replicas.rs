//! The HPA replica calculator.
