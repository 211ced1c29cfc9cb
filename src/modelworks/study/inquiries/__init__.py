"""What is asked of a study beside its stages: what if, how sure, what moves it, would it come out the same."""
