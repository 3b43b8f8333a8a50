"""One question a file: how good is this part, in figures?"""
