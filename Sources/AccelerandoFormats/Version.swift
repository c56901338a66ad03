// The version of the program and its libraries, defined only here.

/// The version of Accelerando, by the rules of semantic versioning.
public let accelerandoVersion = "0.2.0-dev"
