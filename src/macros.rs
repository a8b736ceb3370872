//! What several types have in common.

/// The accessors of a middleware service.
macro_rules! define_inner_service_accessors {
    () => {
        /// Returns a reference to the inner service.
        pub fn get_ref(&self) -> &S {
            &self.inner
        }

        /// Returns a mutable reference to the inner service.
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// Consumes the middleware and returns the inner service.
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}

/// Strings are parsed, so that methods take them as they are.
macro_rules! try_from_strings {
    ($parsed:ty, $error:ty) => {
        try_from_strings!($parsed, $error, &str);
        try_from_strings!($parsed, $error, &String);
        try_from_strings!($parsed, $error, String);
    };
    ($parsed:ty, $error:ty, $string:ty) => {
        impl TryFrom<$string> for $parsed {
            type Error = $error;

            fn try_from(string: $string) -> Result<Self, Self::Error> {
                string.parse()
            }
        }
    };
}
