//! Why a token is refused: what the caller is told, and the word under which it is counted.
//!
//! What is told helps who has a token that the server cannot take: it has expired, it is for somebody else. It never
//! repeats the token, and of what a token claims nothing is told before its signature is known to be right.

/// Most bytes of a token. What is longer is not read, so it costs nothing.
pub(crate) const MOST_TOKEN_BYTES: usize = 16 * 1024;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// It is longer than any token may be, and was not read.
    #[error("the token is longer than {} bytes", MOST_TOKEN_BYTES)]
    TooLong,
    /// It is not a signed JSON web token.
    #[error("the token is not a signed JSON web token: {0}")]
    Malformed(&'static str),
    /// It says that it is something else than an access token.
    #[error("the token's `typ` says that it is for something else: JWT and at+jwt are taken")]
    Kind,
    /// No issuer of that URL is configured.
    #[error("the issuer of the token is not one that this server knows")]
    UnknownIssuer,
    /// It is signed by an algorithm that is not taken from this issuer, or by none.
    #[error("the token is not signed by an algorithm that this server takes from its issuer")]
    Algorithm,
    /// Its header does not tell which key signed it.
    #[error("the token does not name the key it is signed with (`kid`)")]
    NoKeyId,
    /// The issuer has no such key, or not yet as far as this server knows. The keys are asked for.
    #[error("the token's key is not among those that its issuer publishes; if it is new, try again in half a minute")]
    UnknownKey,
    /// The issuer's keys were never read.
    #[error("the keys of the token's issuer could not be read yet: try again later")]
    KeysUnavailable,
    /// The signature is not one that its key made.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim that every token must have is absent.
    #[error("the token has no claim `{0}`")]
    NoClaim(&'static str),
    /// A claim is not what it must be.
    #[error("the token's claim `{0}` cannot be read")]
    Claim(&'static str),
    /// It is for others.
    #[error("the token is for another audience than this server: ask its issuer for one that is for Waymark")]
    Audience,
    /// Its time is over.
    #[error("the token has expired: get a new one")]
    Expired,
    /// Its time has not come, or it was issued in the future.
    #[error("the token is not valid yet: compare the clocks of its issuer and of this server")]
    NotYet,
    /// It was issued longer ago than tokens of this issuer may have been.
    #[error("the token was issued longer ago than this server takes tokens of its issuer: get a new one")]
    TooOld,
    /// What this server wants to be claimed is not.
    #[error("the token lacks what this server requires of those of its issuer")]
    Required,
    /// No principal can be made of its subject.
    #[error("the token's subject is not one that this server can name")]
    Subject,
    /// No groups can be made of its groups.
    #[error("the token's groups cannot be read, are too long or too many")]
    Groups,
    /// It has a reference to its groups in place of them.
    #[error(
        "the token has too many groups, so that its issuer left them out: have it issue only those assigned to Waymark"
    )]
    GroupsElsewhere,
}

impl Refusal {
    /// All words of [`Refusal::reason`].
    pub const REASONS: [&'static str; 19] = [
        "too_long",
        "malformed",
        "kind",
        "unknown_issuer",
        "algorithm",
        "no_key_id",
        "unknown_key",
        "keys_unavailable",
        "signature",
        "no_claim",
        "claim",
        "audience",
        "expired",
        "not_yet",
        "too_old",
        "required",
        "subject",
        "groups",
        "groups_elsewhere",
    ];

    /// The word under which it is counted.
    pub fn reason(self) -> &'static str {
        Self::REASONS[self.place()]
    }

    /// Whether the same token may be taken later, so that the caller should try again.
    pub fn is_passing(self) -> bool {
        self == Self::KeysUnavailable
    }

    pub(crate) fn place(self) -> usize {
        match self {
            Self::TooLong => 0,
            Self::Malformed(_) => 1,
            Self::Kind => 2,
            Self::UnknownIssuer => 3,
            Self::Algorithm => 4,
            Self::NoKeyId => 5,
            Self::UnknownKey => 6,
            Self::KeysUnavailable => 7,
            Self::Signature => 8,
            Self::NoClaim(_) => 9,
            Self::Claim(_) => 10,
            Self::Audience => 11,
            Self::Expired => 12,
            Self::NotYet => 13,
            Self::TooOld => 14,
            Self::Required => 15,
            Self::Subject => 16,
            Self::Groups => 17,
            Self::GroupsElsewhere => 18,
        }
    }
}
