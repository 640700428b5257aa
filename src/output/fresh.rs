//! Files for people to edit: written beside what is there, and never over it
//! unless that is asked for.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::File;

/// Why files could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FreshError {
    /// Some of them are there.
    #[error("{} exist already, and are not replaced without --force", shown(.0))]
    Exist(Vec<PathBuf>),
    /// The system refused.
    #[error("{} could not be written: {source}", .path.display())]
    System {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Writes `files` to a folder, which is made where there is none. Each file is
/// replaced as a whole or not at all; where one is there already and `force` is
/// not given, none is written.
pub fn write(folder: &Path, files: &[File], force: bool) -> Result<Vec<PathBuf>, FreshError> {
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.join(name)).collect();
    let there: Vec<PathBuf> =
        paths.iter().filter(|path| fs::symlink_metadata(path).is_ok()).cloned().collect();
    if !force && !there.is_empty() {
        return Err(FreshError::Exist(there));
    }
    let refused = |path: &Path, source: io::Error| FreshError::System { path: path.to_owned(), source };
    fs::create_dir_all(folder).map_err(|error| refused(folder, error))?;
    for ((_, bytes), path) in files.iter().zip(&paths) {
        put(folder, path, bytes, force).map_err(|error| match error.kind() {
            // Somebody was faster.
            io::ErrorKind::AlreadyExists => FreshError::Exist(vec![path.clone()]),
            _ => refused(path, error),
        })?;
    }
    Ok(paths)
}

fn put(folder: &Path, path: &Path, bytes: &[u8], force: bool) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    let placed = if force { file.persist(path) } else { file.persist_noclobber(path) };
    placed.map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_unless_that_is_asked_for() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("plan");
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        write(&folder, &[file("a", "1")], false).unwrap();
        let again = write(&folder, &[file("a", "2"), file("b", "2")], false).unwrap_err().to_string();
        assert!(again.ends_with("plan/a exist already, and are not replaced without --force"), "{again}");
        assert_eq!((read("a"), read("b")), (Some("1".to_owned()), None));
        write(&folder, &[file("a", "2"), file("b", "2")], true).unwrap();
        assert_eq!((read("a"), read("b")), (Some("2".to_owned()), Some("2".to_owned())));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    }
}
