//! Where the login of this user is kept, and whether it is for a server.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use waymark_client::Login;

use crate::Usage;

/// The file of the login, unless another is named.
pub fn file(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let home = home.context(Usage("this user has no home for the login; name a file by --login-file".to_owned()))?;
    Ok(home.join(".config/waymark/login.json"))
}

/// The file of the login, if there is one that is for the server at this address.
pub fn at(named: Option<&Path>, address: &str) -> Result<Option<PathBuf>> {
    let Ok(path) = file(named) else { return Ok(None) };
    let kept = Login::read(&path)?.is_some_and(|login| login.servers.iter().any(|server| server == address));
    Ok(kept.then_some(path))
}
