//! The results folder, replaced as a whole or not at all.
//!
//! All files are written to a new folder beside the target, which then takes
//! the target's place by one rename. A run that is killed leaves the old
//! results or the new ones, never a mixture and never nothing: where the system
//! can't exchange two folders at once, the old one is put aside first, and the
//! next run finds it there.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::File;

/// The file that lists what `plan` wrote, one name a line. A folder without it
/// is somebody else's, and is not replaced.
const CONTENTS: &str = "contents.txt";

/// Why results could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder holds something that `plan` did not write.
    #[error("{} holds {what}, which plan did not write, so it is not replaced; choose another --out", .folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// A name in it.
        what: String,
    },
    /// The path has no name that a new folder could be put beside.
    #[error("{} cannot be replaced by a results folder; choose another --out", .0.display())]
    NoName(PathBuf),
    /// The system refused.
    #[error("results could not be written to {}: {source}", .folder.display())]
    System {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Whether the folder `target` could be replaced, as far as can be told now.
pub fn check(target: &Path) -> Result<(), FolderError> {
    Places::around(target)?;
    refuse_foreign(target)
}

/// Puts `files` in place of the folder `target`.
pub fn replace(target: &Path, files: &[File]) -> Result<(), FolderError> {
    replace_watched(target, files, &mut |_| Ok(()))
}

/// A step that can fail, or before which a run can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepDone {
    Prepared,
    Wrote,
    Synced,
    PutAside,
    Placed,
}

type Watch<'a> = &'a mut dyn FnMut(StepDone) -> io::Result<()>;

fn replace_watched(target: &Path, files: &[File], watch: Watch<'_>) -> Result<(), FolderError> {
    let places = Places::around(target)?;
    let system = |source| FolderError::System { folder: target.to_owned(), source };
    places.recover().map_err(system)?;
    refuse_foreign(target)?;
    fs::create_dir_all(&places.parent).map_err(system)?;
    let fresh = tempfile::Builder::new()
        .prefix(&places.fresh_prefix)
        .permissions(permissions())
        .tempdir_in(&places.parent)
        .map_err(system)?;
    let outcome = fill(fresh.path(), files, watch).and_then(|()| places.swap(fresh.path(), watch));
    // After the exchange the old results stand where the new ones were written.
    let cleaned = fresh.close();
    outcome.map_err(system)?;
    match cleaned {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(system(error)),
        _ => Ok(()),
    }
}

/// Results are for everybody to read, as any file the user makes.
#[cfg(unix)]
fn permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o777)
}

/// The target and the places beside it.
struct Places {
    target: PathBuf,
    parent: PathBuf,
    fresh_prefix: OsString,
    aside: PathBuf,
}

impl Places {
    fn around(target: &Path) -> Result<Self, FolderError> {
        let name = target.file_name().ok_or_else(|| FolderError::NoName(target.to_owned()))?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let beside = |suffix: &str| {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(suffix);
            hidden
        };
        Ok(Self {
            target: target.to_owned(),
            aside: parent.join(beside(".old")),
            fresh_prefix: beside(".new-"),
            parent,
        })
    }

    /// Puts results back that a killed run had put aside.
    fn recover(&self) -> io::Result<()> {
        match (self.aside.exists(), self.target.exists()) {
            (true, false) => fs::rename(&self.aside, &self.target),
            (true, true) => fs::remove_dir_all(&self.aside),
            (false, _) => Ok(()),
        }
    }

    /// Lets the folder `fresh` take the target's place.
    fn swap(&self, fresh: &Path, watch: Watch<'_>) -> io::Result<()> {
        if !self.target.exists() {
            fs::rename(fresh, &self.target)?;
        } else if !exchange(fresh, &self.target) {
            fs::rename(&self.target, &self.aside)?;
            watch(StepDone::PutAside)?;
            if let Err(error) = fs::rename(fresh, &self.target) {
                fs::rename(&self.aside, &self.target)?;
                return Err(error);
            }
            watch(StepDone::Placed)?;
            fs::remove_dir_all(&self.aside)?;
        }
        sync_folder(&self.parent)?;
        watch(StepDone::Placed)
    }
}

/// Exchanges two folders in one step, where the system can.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(one: &Path, other: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_one: &Path, _other: &Path) -> bool {
    false
}

/// Refuses a target that holds anything `plan` did not write.
fn refuse_foreign(target: &Path) -> Result<(), FolderError> {
    let system = |source| FolderError::System { folder: target.to_owned(), source };
    if !target.exists() {
        return Ok(());
    }
    let listed = fs::read_to_string(target.join(CONTENTS)).unwrap_or_default();
    let ours: BTreeSet<&str> = listed.lines().chain([CONTENTS]).collect();
    let mut names: Vec<String> = Vec::new();
    list(target, "", &mut names).map_err(system)?;
    names.sort();
    match names.into_iter().find(|name| !ours.contains(name.as_str())) {
        Some(what) => Err(FolderError::Foreign { folder: target.to_owned(), what }),
        None => Ok(()),
    }
}

/// The files below a folder, by their paths from there with `/`.
fn list(folder: &Path, prefix: &str, into: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // Links are files to us, wherever they lead.
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), into)?;
        } else {
            into.push(name);
        }
    }
    Ok(())
}

/// Writes all files and the list of them, and waits for the disk.
fn fill(folder: &Path, files: &[File], watch: Watch<'_>) -> io::Result<()> {
    watch(StepDone::Prepared)?;
    for (name, bytes) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent().filter(|parent| *parent != folder) {
            fs::create_dir_all(parent)?;
        }
        write(&path, bytes)?;
        watch(StepDone::Wrote)?;
    }
    let mut names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    write(&folder.join(CONTENTS), format!("{}\n", names.join("\n")).as_bytes())?;
    watch(StepDone::Wrote)?;
    sync_folder(folder)?;
    watch(StepDone::Synced)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes names last through a crash of the machine.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(mark: &str) -> Vec<File> {
        ["a.txt", "b.txt", "c.txt"].map(|name| (name.to_owned(), mark.as_bytes().to_vec())).to_vec()
    }

    /// What the folder holds: the mark that all its files carry.
    fn mark(target: &Path) -> Option<String> {
        let read = |name: &str| fs::read_to_string(target.join(name)).ok();
        let first = read("a.txt")?;
        for name in ["b.txt", "c.txt"] {
            assert_eq!(read(name).as_ref(), Some(&first), "{name} is of another run");
        }
        Some(first)
    }

    #[test]
    fn an_error_at_any_step_leaves_the_old_or_the_new() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("deep/results");
        replace(&target, &files("old")).unwrap();
        let mut steps = 0;
        replace_watched(&target, &files("old"), &mut |_| {
            steps += 1;
            Ok(())
        })
        .unwrap();
        assert!(steps > 5, "only {steps} steps are watched");
        for broken in 0..steps {
            let mut step = 0;
            let seen = replace_watched(&target, &files("new"), &mut |_| {
                step += 1;
                if step > broken { Err(io::Error::other("the disk is full")) } else { Ok(()) }
            });
            assert!(matches!(seen, Err(FolderError::System { .. })), "step {broken}: {seen:?}");
            let left = mark(&target).expect("there are results");
            assert!(left == "old" || left == "new", "step {broken} leaves {left}");
            let beside: Vec<_> = fs::read_dir(target.parent().unwrap()).unwrap().collect();
            assert_eq!(beside.len(), 1, "step {broken} leaves rubbish: {beside:?}");
            replace(&target, &files("old")).unwrap();
            assert_eq!(mark(&target).as_deref(), Some("old"));
        }
    }

    #[test]
    fn results_that_a_killed_run_put_aside_are_found_again() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("results");
        replace(&target, &files("old")).unwrap();
        // Killed between the two renames, on a system that can't exchange folders.
        fs::rename(&target, home.path().join(".results.old")).unwrap();
        let seen = replace_watched(&target, &files("new"), &mut |step| match step {
            StepDone::Prepared => Err(io::Error::other("the disk is full")),
            _ => Ok(()),
        });
        assert!(seen.is_err());
        assert_eq!(mark(&target).as_deref(), Some("old"));
        replace(&target, &files("new")).unwrap();
        assert_eq!(mark(&target).as_deref(), Some("new"));
    }

    #[test]
    fn what_plan_did_not_write_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("results");
        replace(&target, &files("old")).unwrap();
        let mut nested = files("old");
        nested.push(("below/d.txt".to_owned(), b"old".to_vec()));
        replace(&target, &nested).unwrap();
        assert_eq!(fs::read_to_string(target.join("below/d.txt")).unwrap(), "old");
        fs::write(target.join("below/mine.txt"), "mine").unwrap();
        let error = replace(&target, &files("new")).unwrap_err();
        assert!(error.to_string().contains("holds below/mine.txt"), "{error}");
        fs::remove_file(target.join("below/mine.txt")).unwrap();
        fs::write(target.join("notes.txt"), "mine").unwrap();
        let error = replace(&target, &files("new")).unwrap_err();
        assert!(error.to_string().contains("holds notes.txt"), "{error}");
        assert_eq!(mark(&target).as_deref(), Some("old"));
        assert!(matches!(replace(Path::new("/"), &files("new")), Err(FolderError::NoName(_))));
        let file = home.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(matches!(replace(&file, &files("new")), Err(FolderError::System { .. })));
    }
}
