package bolt

const anotherProcess = "another process"
