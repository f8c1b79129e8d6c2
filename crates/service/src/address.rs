//! Addresses of databases and brokers as they may be shown.

/// An address without what may hold a password: the user before it, the parameters behind it.
pub(crate) fn without_password(url: &str) -> &str {
    let address = url.rsplit_once('@').map_or(url, |(_, address)| address);
    address.split_once('?').map_or(address, |(address, _)| address)
}

/// Addresses separated by commas, each as it may be shown.
pub fn without_passwords(urls: &str) -> String {
    urls.split(',').map(|url| without_password(url.trim())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_password_is_left_out() {
        let shown = [
            ("postgres://ada:s3cr@t@db.example.com/roadmap?password=s3cret", "db.example.com/roadmap"),
            ("tls://token@nats.example.com:4222", "nats.example.com:4222"),
            ("nats://localhost:4222", "nats://localhost:4222"),
            ("sqlite://./.waymark/roadmap.db?mode=rwc", "sqlite://./.waymark/roadmap.db"),
        ];
        for (url, expected) in shown {
            assert_eq!(without_password(url), expected);
        }
        assert_eq!(without_passwords("nats://a:s3cret@one:4222, nats://two"), "one:4222, nats://two");
    }
}
