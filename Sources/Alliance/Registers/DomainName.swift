/// Host names in the form of the domain name system.
///
/// The canonical form is ASCII: labels of lower-case letters, digits and inner hyphens (RFC 1123), at least two of
/// them, 253 bytes at most, the last one of letters or an A-label, so that no IPv4 address passes. A label that starts
/// with `xn--` must be what RFC 3492 makes of the label that it decodes to.
enum DomainName {
    static func isCanonical(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count <= 253 else { return false }
        var labels = 0
        var start = 0
        for position in 0...bytes.count where position == bytes.count || bytes[position] == 0x2E {
            let isLast = position == bytes.count
            let label = UnsafeBufferPointer(rebasing: bytes[start..<position])
            guard isLabel(label, last: isLast) else { return false }
            labels += 1
            start = position + 1
        }
        return labels >= 2
    }

    private static func isLabel(_ label: UnsafeBufferPointer<UInt8>, last: Bool) -> Bool {
        guard (1...63).contains(label.count), label[0] != 0x2D, label[label.count - 1] != 0x2D else { return false }
        var onlyLetters = true
        for byte in label {
            switch byte {
            case 0x61...0x7A: break
            case 0x30...0x39, 0x2D: onlyLetters = false
            default: return false
            }
        }
        if label.starts(with: "xn--".utf8) { return isALabel(label) }
        return !last || (onlyLetters && label.count >= 2)
    }

    /// Whether the label decodes, to something visible that is not ASCII, and encodes back to itself.
    private static func isALabel(_ label: UnsafeBufferPointer<UInt8>) -> Bool {
        let digits = Array(label.dropFirst(4))
        guard let scalars = Punycode.decode(digits), scalars.contains(where: { !$0.isASCII }) else { return false }
        if scalars.contains(where: { UnicodeForm.isInvisible($0) || UnicodeForm.isWhiteSpace($0) }) { return false }
        return Punycode.encode(scalars) == digits
    }

    /// Lower case, A-labels and no trailing dot. What is not plainly a host name is refused, and so are labels whose
    /// A-label takes more than RFC 3492 and lower case to find (the mappings of UTS #46, the contextual rules of
    /// RFC 5892): those are asked for in their A-label form.
    static func canonicalise(_ input: String) -> Result<String, FormProblem> {
        var text = UnicodeForm.trimmed(input)
        guard !text.isEmpty else { return .failure(.empty) }
        if text.utf8.contains(where: { [0x2F, 0x3A, 0x40, 0x3F, 0x23].contains($0) }) {
            return .failure(FormProblem("is an address, not a domain: give the host name alone, such as example.com"))
        }
        if text.utf8.last == 0x2E { text.removeLast() }
        var labels: [String] = []
        for label in text.split(separator: ".", omittingEmptySubsequences: false) {
            switch aLabel(String(label)) {
            case .success(let ascii): labels.append(ascii)
            case .failure(let problem): return .failure(problem)
            }
        }
        let name = labels.joined(separator: ".")
        guard CanonicalForm.domain.isCanonical(name) else {
            return .failure(FormProblem("is not a domain such as example.com"))
        }
        return .success(name)
    }

    private static func aLabel(_ label: String) -> Result<String, FormProblem> {
        if label.utf8.allSatisfy({ $0 < 0x80 }) { return .success(ASCIICase.lowercased(label)) }
        let lowered = UnicodeForm.nfc(UnicodeForm.nfc(label).lowercased())
        for scalar in lowered.unicodeScalars where !isPlainLetter(scalar) {
            let code = String(scalar.value, radix: 16, uppercase: true)
            return .failure(FormProblem("holds U+\(code), which needs the name's A-label form (xn--…)"))
        }
        // RFC 5891, section 4.2.3: no mark first, and no hyphens third and fourth.
        let bytes = Array(lowered.utf8)
        guard let first = lowered.unicodeScalars.first, !isMark(first),
            bytes.count < 4 || bytes[2] != 0x2D || bytes[3] != 0x2D,
            let digits = Punycode.encode(Array(lowered.unicodeScalars))
        else { return .failure(FormProblem("is not a domain such as example.com")) }
        return .success("xn--" + String(decoding: digits, as: UTF8.self))
    }

    /// Letters, marks and digits that IDNA 2008 (RFC 5892) takes as they are, whatever stands beside them.
    private static func isPlainLetter(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar == "-" || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) }
        switch scalar.value {
        // Half-width and full-width forms, presentation forms, compatibility ideographs, letter-like symbols and
        // digits of the two Arabic sets (which must not be mixed) all take more than this code does.
        case 0x0660...0x0669, 0x06F0...0x06F9, 0x2100...0x218F, 0x3000...0x303F, 0x30FB, 0xF900...0xFAFF: return false
        case 0xFB00...0xFFEF, 0x1D400...0x1D7FF, 0x2F800...0x2FA1F, 0x00AA, 0x00BA, 0x02B0...0x02B8: return false
        case 0x0132...0x0133, 0x013F...0x0140, 0x0149, 0x017F, 0x01C4...0x01CC, 0x01F1...0x01F3: return false
        default: break
        }
        switch scalar.properties.generalCategory {
        case .lowercaseLetter, .otherLetter, .nonspacingMark, .spacingMark, .decimalNumber: return true
        default: return false
        }
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }
}

/// Punycode, RFC 3492, for one label.
enum Punycode {
    private static let base: UInt32 = 36
    private static let tMin: UInt32 = 1
    private static let tMax: UInt32 = 26

    /// The bytes that stand after `xn--`, or nil if they would not fit a label of 63 bytes.
    static func encode(_ scalars: [Unicode.Scalar]) -> [UInt8]? {
        guard scalars.count <= 59 else { return nil }
        var output = scalars.filter(\.isASCII).map { UInt8($0.value) }
        let basic = UInt32(output.count)
        if basic > 0 { output.append(0x2D) }
        var handled = basic
        var n: UInt32 = 0x80
        var delta: UInt32 = 0
        var bias: UInt32 = 72
        while handled < UInt32(scalars.count) {
            guard let next = scalars.lazy.map(\.value).filter({ $0 >= n }).min() else { return nil }
            delta += (next - n) * (handled + 1)
            n = next
            for scalar in scalars {
                if scalar.value < n { delta += 1 }
                guard scalar.value == n else { continue }
                write(delta, bias: bias, to: &output)
                bias = adapt(delta, count: handled + 1, first: handled == basic)
                delta = 0
                handled += 1
            }
            delta += 1
            n += 1
        }
        return output.count <= 59 ? output : nil
    }

    /// The label that these bytes stand for, or nil if they are not Punycode.
    static func decode(_ bytes: [UInt8]) -> [Unicode.Scalar]? {
        guard bytes.count <= 59 else { return nil }
        let split = bytes.lastIndex(of: 0x2D)
        var output = bytes[..<(split ?? 0)].map { Unicode.Scalar($0) }
        var position = split.map { $0 + 1 } ?? 0
        var n: UInt32 = 0x80
        var index: UInt32 = 0
        var bias: UInt32 = 72
        while position < bytes.count {
            let old = index
            var weight: UInt32 = 1
            var k = base
            while true {
                guard position < bytes.count, let digit = digit(bytes[position]) else { return nil }
                position += 1
                let (product, overflow) = digit.multipliedReportingOverflow(by: weight)
                let (sum, overflowed) = index.addingReportingOverflow(product)
                if overflow || overflowed { return nil }
                index = sum
                let t = threshold(k, bias)
                if digit < t { break }
                let (heavier, tooHeavy) = weight.multipliedReportingOverflow(by: base - t)
                if tooHeavy { return nil }
                weight = heavier
                k += base
            }
            let count = UInt32(output.count) + 1
            bias = adapt(index - old, count: count, first: old == 0)
            let (next, overflow) = n.addingReportingOverflow(index / count)
            guard !overflow, let scalar = Unicode.Scalar(next) else { return nil }
            n = next
            index %= count
            output.insert(scalar, at: Int(index))
            index += 1
        }
        return output
    }

    private static func write(_ delta: UInt32, bias: UInt32, to output: inout [UInt8]) {
        var rest = delta
        var k = base
        while true {
            let t = threshold(k, bias)
            if rest < t { break }
            output.append(character(t + (rest - t) % (base - t)))
            rest = (rest - t) / (base - t)
            k += base
        }
        output.append(character(rest))
    }

    private static func threshold(_ k: UInt32, _ bias: UInt32) -> UInt32 {
        k <= bias ? tMin : min(max(k - bias, tMin), tMax)
    }

    private static func adapt(_ delta: UInt32, count: UInt32, first: Bool) -> UInt32 {
        var delta = first ? delta / 700 : delta / 2
        delta += delta / count
        var k: UInt32 = 0
        while delta > (base - tMin) * tMax / 2 {
            delta /= base - tMin
            k += base
        }
        return k + (base - tMin + 1) * delta / (delta + 38)
    }

    private static func character(_ digit: UInt32) -> UInt8 { UInt8(digit < 26 ? 0x61 + digit : 0x30 + digit - 26) }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x61...0x7A: UInt32(byte - 0x61)
        case 0x30...0x39: UInt32(byte - 0x30) + 26
        default: nil
        }
    }
}
