// What was found when a model answered on data whose right answers are known, as plain values: for the terminal, for files and for
// pages alike.

/// How a model answers on data.
public struct Evaluation: Sendable {
  /// The number of samples.
  public var samples: Int
  /// Loss and metrics by name, in the order in which they are shown.
  public var numbers: [(name: String, value: Double)]
  /// What was found for each output of the model that has targets.
  public var outputs: [Output]
  /// The samples with the largest losses, the largest first.
  public var worst: [Sample]

  /// What was found for one output.
  public struct Output: Sendable {
    /// The output's name; nil for the only one.
    public var name: String?
    /// What the output stands for, and how good it is.
    public var findings: Findings

    /// Makes the findings of an output.
    public init(name: String?, findings: Findings) {
      (self.name, self.findings) = (name, findings)
    }
  }

  /// What can be found, by what an output stands for.
  public enum Findings: Sendable {
    /// One of several classes is right.
    case classes(Classes)
    /// Any number of labels is right, each for itself.
    case labels(Labels)
    /// Quantities.
    case quantities([Quantity])
  }

  /// How good a classification is.
  public struct Classes: Sendable {
    /// The names of the classes, as many as there are.
    public var names: [String]
    /// Which was taken for which.
    public var confusion: ConfusionCounts
    /// Whether probabilities are what they say.
    public var calibration: Calibration
    /// Places without a class, such as those that the loss ignores.
    public var ignored: Int

    /// Makes an empty one.
    public init(names: [String]) {
      self.names = names
      confusion = ConfusionCounts(classCount: names.count)
      (calibration, ignored) = (Calibration(), 0)
    }
  }

  /// How good labels are.
  public struct Labels: Sendable {
    /// The names of the labels.
    public var names: [String]
    /// How often each was found.
    public var counts: LabelCounts
    /// Whether probabilities are what they say, over all labels.
    public var calibration: Calibration

    /// Makes an empty one.
    public init(names: [String]) {
      self.names = names
      (counts, calibration) = (LabelCounts(labelCount: names.count), Calibration())
    }
  }

  /// How good one quantity is.
  public struct Quantity: Sendable {
    /// Its name.
    public var name: String
    /// Its errors.
    public var residuals: Residuals

    /// Makes an empty one.
    public init(name: String) {
      (self.name, residuals) = (name, Residuals())
    }
  }

  /// One sample.
  public struct Sample: Sendable {
    /// What it is called: a number or the name of a file.
    public var id: String
    /// Its loss.
    public var loss: Double
    /// What would be right, in words.
    public var truth: String
    /// What the model says, in words.
    public var answer: String
    /// A picture of the input, as the bytes of a PNG file.
    public var picture: [UInt8]?

    /// Describes a sample.
    public init(id: String, loss: Double, truth: String, answer: String, picture: [UInt8]? = nil) {
      (self.id, self.loss, self.truth, self.answer, self.picture) = (id, loss, truth, answer, picture)
    }
  }

  /// Makes an evaluation.
  public init(
    samples: Int, numbers: [(name: String, value: Double)] = [], outputs: [Output] = [], worst: [Sample] = []
  ) {
    (self.samples, self.numbers, self.outputs, self.worst) = (samples, numbers, outputs, worst)
  }
}
