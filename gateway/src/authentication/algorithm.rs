//! The signature algorithms an issuer may be trusted with.

/// A signature algorithm of RFC 7518, section 3.1, or RFC 8037. All are asymmetric: with a symmetric one whoever
/// can verify can also sign, and a published key would be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// RSASSA-PKCS1-v1.5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1.5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1.5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them, in the order in which messages list them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Es256,
        Self::Es384,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::EdDsa,
    ];

    /// The name in a token's header: `alg`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads a name; the complaint says what to write instead.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        if let Some(known) = Self::ALL.into_iter().find(|algorithm| algorithm.name() == name) {
            return Ok(known);
        }
        let names = Self::ALL.map(Self::name).join(", ");
        Err(match name {
            "HS256" | "HS384" | "HS512" => format!(
                "`{name}` is symmetric: whoever can verify such a token can also forge one; let the issuer sign with one of {names}"
            ),
            "none" => format!(
                "`none` means unsigned tokens, which anybody can write; let the issuer sign with one of {names}"
            ),
            _ => format!("`{name}` is not an algorithm for tokens; write one of {names}"),
        })
    }

    pub(super) const fn verifier(self) -> jsonwebtoken::Algorithm {
        use jsonwebtoken::Algorithm as Jwt;
        match self {
            Self::Es256 => Jwt::ES256,
            Self::Es384 => Jwt::ES384,
            Self::Rs256 => Jwt::RS256,
            Self::Rs384 => Jwt::RS384,
            Self::Rs512 => Jwt::RS512,
            Self::Ps256 => Jwt::PS256,
            Self::Ps384 => Jwt::PS384,
            Self::Ps512 => Jwt::PS512,
            Self::EdDsa => Jwt::EdDSA,
        }
    }
}
