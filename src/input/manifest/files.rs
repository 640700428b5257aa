//! Paths into texts: files, directories, standard input, kustomizations.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

use crate::input::problem::Problem;

/// The names that kustomize looks for.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Directories within directories.
const DEPTH_LIMIT: usize = 64;

/// Why there is nothing to read.
#[derive(Debug, Error)]
pub enum Failure {
    /// A path that can't be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// A directory without a file that could be a manifest.
    #[error("no manifests in `{}`: no file there ends in .yaml, .yml or .json", .0.display())]
    NoManifests(PathBuf),
    /// `-` with nothing on it.
    #[error("nothing on standard input")]
    NothingOnStdin,
    /// A kustomization, and nothing to build it with.
    #[error("`{}` is a kustomization; building it needs `kubectl` or `kustomize` on PATH", .0.display())]
    NoKustomize(PathBuf),
    /// A kustomization that doesn't build.
    #[error("`{program}` failed for `{}`:\n{stderr}", path.display())]
    KustomizeFailed {
        /// The command that was run.
        program: &'static str,
        /// The kustomization.
        path: PathBuf,
        /// What it wrote on standard error.
        stderr: String,
    },
}

impl Failure {
    /// Whether an outside tool is missing or has failed, rather than the input.
    pub fn is_outside_tool(&self) -> bool {
        matches!(self, Self::NoKustomize(_) | Self::KustomizeFailed { .. })
    }
}

/// Names and texts, with a problem for every file that is no text.
type Texts = (Vec<(String, String)>, Vec<Problem>);

/// The texts behind all paths, in their order.
pub(super) fn collect(paths: &[PathBuf]) -> Result<Texts, Failure> {
    let mut texts = (Vec::new(), Vec::new());
    for path in paths {
        if path.as_os_str() == "-" {
            standard_input(&mut texts)?;
        } else if let Some(directory) = kustomization(path) {
            texts.0.push(build(&directory)?);
        } else if path.is_dir() {
            let mut files = Vec::new();
            find(path, DEPTH_LIMIT, &mut files).map_err(|error| unreadable(path, &error))?;
            if files.is_empty() {
                return Err(Failure::NoManifests(path.clone()));
            }
            for file in files {
                read_file(&file, &mut texts);
            }
        } else {
            read_file(path, &mut texts);
        }
    }
    Ok(texts)
}

fn standard_input(texts: &mut Texts) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| unreadable(Path::new("-"), &error))?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Failure::NothingOnStdin);
    }
    add("<stdin>".to_owned(), bytes, texts);
    Ok(())
}

fn read_file(path: &Path, texts: &mut Texts) {
    match fs::read(path) {
        Ok(bytes) => add(path.display().to_string(), bytes, texts),
        // The other files may be wrong, too: all is said at once.
        Err(error) => texts.1.push(Problem::error(unreadable(path, &error).to_string())),
    }
}

/// Keeps a text, or says why a file is none.
fn add(name: String, bytes: Vec<u8>, (texts, problems): &mut Texts) {
    if bytes.contains(&0) {
        problems.push(Problem::error(format!("`{name}` is not a text file")));
        return;
    }
    match String::from_utf8(bytes) {
        Ok(text) => texts.push((name, text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = String::from_utf8_lossy(&error.as_bytes()[..valid]).matches('\n').count() + 1;
            let problem = Problem::error(format!("`{name}` is not valid UTF-8 in line {line}"));
            problems.push(problem.help("save the file as UTF-8"));
        }
    }
}

/// All files under a directory that could be manifests, in order of their names.
fn find(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // Links to directories are left alone, as they may lead in circles.
        if entry.file_type()?.is_dir() {
            if depth > 0 {
                find(&path, depth - 1, files)?;
            }
        } else if path.is_file() && is_manifest(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| ["yaml", "yml", "json"].contains(&extension.as_str()))
}

/// The directory to build where a path is a kustomization or holds one.
fn kustomization(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        let found = KUSTOMIZATIONS.iter().any(|name| path.join(name).is_file());
        return found.then(|| path.to_owned());
    }
    let name = path.file_name()?.to_str()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    (KUSTOMIZATIONS.contains(&name) && path.is_file()).then(|| parent.unwrap_or(Path::new(".")).to_owned())
}

/// What a kustomization renders to.
fn build(directory: &Path) -> Result<(String, String), Failure> {
    for (program, arguments, shown) in
        [("kubectl", "kustomize", "kubectl kustomize"), ("kustomize", "build", "kustomize build")]
    {
        let output = match Command::new(program).arg(arguments).arg(directory).output() {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(directory, &error)),
        };
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
            return Err(Failure::KustomizeFailed { program: shown, path: directory.to_owned(), stderr });
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        return Ok((format!("{shown} {}", directory.display()), text));
    }
    Err(Failure::NoKustomize(directory.to_owned()))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default().to_owned();
    Failure::Unreadable { path: path.to_owned(), reason }
}
