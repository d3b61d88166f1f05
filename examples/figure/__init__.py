"""The data of the figure's stories, each from a package that pip installs: nothing is downloaded."""
