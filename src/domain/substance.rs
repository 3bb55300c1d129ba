//! What is ordered and answered for.

use serde::{Deserialize, Serialize};

macro_rules! substance_groups {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// A group of substances. Orders and results are compared by group (rule 47).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum SubstanceGroup {
            $($(#[$doc])* $name,)+
        }

        impl SubstanceGroup {
            /// Every group.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name used in tables and views.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

substance_groups! {
    /// Amphetamine, methamphetamine, MDMA and the like.
    Amphetamines = "AMPHETAMINES";
    /// Benzodiazepines.
    Benzodiazepines = "BENZODIAZEPINES";
    /// Cannabis.
    Cannabis = "CANNABIS";
    /// Cocaine.
    Cocaine = "COCAINE";
    /// Morphine, codeine, heroin's metabolites.
    Opiates = "OPIATES";
    /// Oxycodone, tramadol, fentanyl and the like.
    OpioidsOther = "OPIOIDS_OTHER";
    /// Buprenorphine.
    Buprenorphine = "BUPRENORPHINE";
    /// Methadone.
    Methadone = "METHADONE";
    /// Gamma-hydroxybutyrate.
    Ghb = "GHB";
    /// Zolpidem and zopiclone.
    ZHypnotics = "Z_HYPNOTICS";
    /// Pregabalin and gabapentin.
    Gabapentinoids = "GABAPENTINOIDS";
    /// LSD, psilocin and the like.
    Hallucinogens = "HALLUCINOGENS";
    /// Synthetic cannabinoids.
    SyntheticCannabinoids = "SYNTHETIC_CANNABINOIDS";
    /// Ethanol and its markers.
    Alcohol = "ALCOHOL";
    /// Methylphenidate, cathinones and the like.
    OtherStimulants = "OTHER_STIMULANTS";
}
