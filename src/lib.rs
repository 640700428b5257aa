//! A policy-driven capacity planner and autoscaler simulator for Kubernetes.
//!
//! Data flows one way:
//!
//! ```text
//! files -> input -> scenario -> world -> observations -> judge -> output
//! ```
//!
//! | room | what stands in it |
//! |---|---|
//! | [`units`] | time, resources: the words |
//! | [`sim`] | the kernel: order and chance |
//! | [`k8s`] | Kubernetes' rules as pure functions |
//! | [`source`] | the user's files, and where a field stands in them |
//! | [`change`] | what is to be changed of the user's objects |
//! | [`emit`] | from changes to the files to be written |
//! | [`scenario`] | a run's whole input |
//! | [`input`] | files in, one scenario or every problem out |
//! | [`service`] | one pod at work |
//! | [`world`] | everything that changes in a run |
//! | [`observe`] | what a run leaves behind |
//! | [`judge`] | facts against goals: met, missed or unsure, and why |
//! | [`init`] | from manifests to files to be filled in |
//! | [`operations`] | alerts, dashboard, workflow and guides from a proved plan |
//! | [`run`] | replications side by side, until the verdict is sure |
//! | [`capacity`] | how many users it carries: a search over runs |
//! | [`compare`] | two configurations under the same requests |
//! | [`promised`] | a document's table of promises, before and after, measured |
//! | [`robust`] | how settings fare where what is not known is otherwise |
//! | [`tune`] | settings that keep the policy at the least cost |
//! | [`output`] | the verdict as data, pages, charts, and their folder |
//! | [`cli`] | the commands |

pub mod capacity;
pub mod change;
pub mod cli;
pub mod compare;
pub mod emit;
pub mod init;
pub mod input;
pub mod judge;
pub mod k8s;
pub mod observe;
pub mod operations;
pub mod output;
pub mod promised;
pub mod robust;
pub mod run;
pub mod scenario;
pub mod service;
pub mod sim;
pub mod source;
pub mod tune;
pub mod units;
pub mod world;
