"""Models ready to use and to extend; each file is one model and says what it assumes."""
