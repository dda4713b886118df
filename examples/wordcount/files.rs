//! The files of a directory tree.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// All that could not be listed, and why.
type Unreadable = Vec<(PathBuf, io::Error)>;

/// Everything under this path that is not a directory, in order, and what could not be listed. A link is not followed
/// when it leads to a directory, which may be one that it stands in.
pub(crate) fn under(root: &Path) -> (Vec<PathBuf>, Unreadable) {
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    let mut directories = vec![root.to_owned()];
    if fs::metadata(root).is_ok_and(|root| root.is_file()) {
        return (directories, unreadable);
    }
    while let Some(directory) = directories.pop() {
        if let Err(error) = list(&directory, &mut files, &mut directories) {
            unreadable.push((directory, error));
        }
    }
    files.sort_unstable();
    (files, unreadable)
}

fn list(directory: &Path, files: &mut Vec<PathBuf>, directories: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            directories.push(entry.path());
        } else if kind.is_file() || (kind.is_symlink() && !entry.path().is_dir()) {
            files.push(entry.path());
        }
    }
    Ok(())
}
