/// So much in each so many milliseconds: what is used up comes back with time, at an even rate.
///
/// How much something is may be known only once it is there, so it may go into debt: nothing is refused for being too
/// large, and who is in debt waits until it is paid. It has no clock; a moment comes with each question.
public struct Allowance: Hashable, Sendable {
    /// What may be taken at once where nothing was taken for long, and what comes back within ``window``.
    public let amount: Int64
    /// Milliseconds.
    public let window: Int64
    /// Debt beyond this is forgiven.
    public let mostOwed: Int64
    /// What is left, times ``window``: so every millisecond brings a whole number.
    private var level: Int64
    private var at: Instant?

    /// Within these no product of two overflows.
    public static let amounts: ClosedRange<Int64> = 1...(1 << 36)
    static let windows: ClosedRange<Int64> = 1...86_400_000

    /// An allowance that is full.
    ///
    /// - Parameters:
    ///   - amount: within ``amounts``.
    ///   - window: milliseconds, from 1 to a day.
    ///   - mostOwed: the largest debt; nil for one that takes as long to pay as a hundred windows, at the most.
    public init(_ amount: Int64, each window: Int64, mostOwed: Int64? = nil) {
        precondition(Self.amounts.contains(amount) && Self.windows.contains(window), "an allowance out of range")
        self.amount = amount
        self.window = window
        let most = amount.multipliedReportingOverflow(by: 100)
        self.mostOwed = min(max(mostOwed ?? most.partialValue, 0), Self.amounts.upperBound)
        level = amount * window
    }

    /// Takes something, into debt if it must be.
    public mutating func take(_ count: Int64, _ now: Instant) {
        refill(now)
        let taken = min(max(count, 0), Self.amounts.upperBound) * window
        let (left, overflow) = level.subtractingReportingOverflow(taken)
        level = max(overflow ? .min : left, -mostOwed * window)
    }

    /// From when on something may be taken; nil if now.
    public mutating func due(_ now: Instant) -> Instant? {
        refill(now)
        return level > 0 ? nil : now + (-level / amount + 1)
    }

    private mutating func refill(_ now: Instant) {
        // A clock that went back brings nothing; one that jumped ahead fills it at the most.
        let elapsed = at.map { max(now - $0, 0) } ?? 0
        at = now
        let (credit, overflow) = elapsed.multipliedReportingOverflow(by: amount)
        let room = amount * window - max(level, -(Int64.max - amount * window))
        level = overflow || credit >= room ? amount * window : level + credit
    }
}
