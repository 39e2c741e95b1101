package safefile

// nonblock is nothing here: a file's name cannot lead to a pipe.
const nonblock = 0
