"""A look at the real DingTalk, for a person with an app: what the sandbox has switches for because nobody knows it."""
