using System.Collections.Frozen;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace AsrPlatform.Whisper.Text;

/// <summary>
/// English number words to digits: cardinals, ordinals, plurals (<c>nineties</c> → <c>90s</c>), fractions (<c>two and a half</c>), signs,
/// currencies before the number (<c>twenty dollars</c> → <c>$20</c>), per cent, and digits said one by one (<c>one oh one</c> → <c>101</c>).
/// </summary>
/// <remarks>The number part of <see cref="EnglishTextNormalizer"/>; expects lower case without symbols other than <c>.%$¢€£</c> and signs.</remarks>
internal sealed class EnglishNumbers
{
    private static readonly FrozenSet<string> Zeros = new[] { "o", "oh", "zero" }.ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, int> Ones = Number(
        1,
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
            "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"],
        step: 1);

    private static readonly FrozenDictionary<string, int> Tens = Number(
        20, ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], step: 10);

    private static readonly FrozenDictionary<string, BigInteger> Multipliers = new Dictionary<string, int>
    {
        ["hundred"] = 2,
        ["thousand"] = 3,
        ["million"] = 6,
        ["billion"] = 9,
        ["trillion"] = 12,
        ["quadrillion"] = 15,
        ["quintillion"] = 18,
        ["sextillion"] = 21,
        ["septillion"] = 24,
        ["octillion"] = 27,
        ["nonillion"] = 30,
        ["decillion"] = 33,
    }.ToFrozenDictionary(pair => pair.Key, pair => BigInteger.Pow(10, pair.Value), StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, (int Value, string Suffix)> OnesSuffixed = SuffixOnes();

    private static readonly FrozenDictionary<string, (int Value, string Suffix)> TensSuffixed = Tens
        .SelectMany(pair => new[]
        {
            KeyValuePair.Create(pair.Key[..^1] + "ies", (pair.Value, "s")),
            KeyValuePair.Create(pair.Key[..^1] + "ieth", (pair.Value, "th")),
        })
        .ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, (BigInteger Value, string Suffix)> MultipliersSuffixed = Multipliers
        .SelectMany(pair => new[] { KeyValuePair.Create(pair.Key + "s", (pair.Value, "s")), KeyValuePair.Create(pair.Key + "th", (pair.Value, "th")) })
        .ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> Signs = new Dictionary<string, string>
    {
        ["minus"] = "-",
        ["negative"] = "-",
        ["plus"] = "+",
        ["positive"] = "+",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> Currencies = new Dictionary<string, string>
    {
        ["pound"] = "£",
        ["pounds"] = "£",
        ["euro"] = "€",
        ["euros"] = "€",
        ["dollar"] = "$",
        ["dollars"] = "$",
        ["cent"] = "¢",
        ["cents"] = "¢",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Every word that has a part in a number.</summary>
    private static readonly FrozenSet<string> Words = Zeros
        .Concat(Ones.Keys).Concat(OnesSuffixed.Keys).Concat(Tens.Keys).Concat(TensSuffixed.Keys)
        .Concat(Multipliers.Keys).Concat(MultipliersSuffixed.Keys).Concat(Signs.Keys).Concat(Currencies.Keys)
        .Concat(["per", "percent", "and", "double", "triple", "point"])
        .ToFrozenSet(StringComparer.Ordinal);

    private readonly List<string> _output = [];
    private string? _prefix;

    /// <summary>The number so far: an integer, or digits that are only strung together; neither when there is none.</summary>
    private BigInteger? _integer;
    private string? _digits;

    private EnglishNumbers()
    {
    }

    private bool HasValue => _integer is not null || _digits is not null;

    private string ValueText => _digits ?? _integer?.ToString(CultureInfo.InvariantCulture) ?? "";

    /// <summary>As <see cref="ValueText"/>, but nothing for the integer 0, which upstream takes for no number here.</summary>
    private string ValueTextUnlessZero => _integer is { IsZero: true } ? "" : ValueText;

    public static string Normalize(string text)
    {
        var numbers = new EnglishNumbers();
        numbers.Process(CodePoints.SplitWords(SpaceNumbers(SpellHalves(text))));
        return JoinCents(string.Join(' ', numbers._output));
    }

    private void Process(List<string> words)
    {
        for (var index = 0; index < words.Count; index++)
        {
            var skipped = Process(index > 0 ? words[index - 1] : null, words[index], index + 1 < words.Count ? words[index + 1] : null);
            index += skipped ? 1 : 0;
        }

        FlushValue();
    }

    /// <summary>Takes in one word; returns true when the next one is used up with it.</summary>
    private bool Process(string? previous, string current, string? next)
    {
        var nextIsNumeric = next is not null && IsNumeric(next);
        var hasPrefix = "-+£€$¢".Contains(current[0], StringComparison.Ordinal);
        var unsigned = hasPrefix ? current[1..] : current;
        if (IsNumeric(unsigned))
        {
            if (_digits is not null && _digits.EndsWith('.'))
            {
                // Decimals, or the parts of an address.
                _digits += current;
                return false;
            }

            FlushValue();
            _prefix = hasPrefix ? current[..1] : _prefix;
            if (TimesPowerOfTen(unsigned, BigInteger.One) is { } integer)
            {
                SetValue(integer);
            }
            else
            {
                SetValue(unsigned);
            }
        }
        else if (!Words.Contains(current))
        {
            FlushValue();
            Emit(current);
        }
        else if (Zeros.Contains(current))
        {
            SetValue(ValueTextUnlessZero + "0");
        }
        else if (Ones.TryGetValue(current, out var ones))
        {
            if (AppendOnes(previous, ones) is { } sum)
            {
                SetValue(sum);
            }
            else
            {
                SetValue(DigitsWithOnes(previous, ones));
            }
        }
        else if (OnesSuffixed.TryGetValue(current, out var onesSuffixed))
        {
            Emit((AppendOnes(previous, onesSuffixed.Value)?.ToString(CultureInfo.InvariantCulture) ?? DigitsWithOnes(previous, onesSuffixed.Value))
                + onesSuffixed.Suffix);
        }
        else if (Tens.TryGetValue(current, out var tens))
        {
            if (AppendTens(tens) is { } sum)
            {
                SetValue(sum);
            }
            else
            {
                SetValue(ValueText + Text(tens));
            }
        }
        else if (TensSuffixed.TryGetValue(current, out var tensSuffixed))
        {
            Emit((AppendTens(tensSuffixed.Value)?.ToString(CultureInfo.InvariantCulture) ?? ValueText + Text(tensSuffixed.Value)) + tensSuffixed.Suffix);
        }
        else if (Multipliers.TryGetValue(current, out var multiplier))
        {
            if (Multiply(multiplier) is { } product)
            {
                SetValue(product);
            }
            else
            {
                FlushValue();
                SetValue(multiplier);
            }
        }
        else if (MultipliersSuffixed.TryGetValue(current, out var multiplierSuffixed))
        {
            if (Multiply(multiplierSuffixed.Value) is not { } product)
            {
                FlushValue();
                product = multiplierSuffixed.Value;
            }

            Emit(product.ToString(CultureInfo.InvariantCulture) + multiplierSuffixed.Suffix);
        }
        else if (Signs.TryGetValue(current, out var sign))
        {
            FlushValue();
            if (nextIsNumeric || (next is not null && Words.Contains(next)))
            {
                _prefix = sign;
            }
            else
            {
                Emit(current);
            }
        }
        else if (Currencies.TryGetValue(current, out var currency))
        {
            if (HasValue)
            {
                _prefix = currency;
                FlushValue();
            }
            else
            {
                Emit(current);
            }
        }
        else
        {
            return ProcessParticle(previous, current, next, nextIsNumeric);
        }

        return false;
    }

    private bool ProcessParticle(string? previous, string current, string? next, bool nextIsNumeric)
    {
        if (current is "percent" or "per")
        {
            if (HasValue && (current == "percent" || next == "cent"))
            {
                Emit(ValueText + "%");
                return current == "per";
            }

            FlushValue();
            Emit(current);
        }
        else if (!nextIsNumeric && (next is null || !Words.Contains(next)))
        {
            FlushValue();
            Emit(current);
        }
        else if (current == "and")
        {
            // Silent after hundred, thousand and so on.
            if (previous is null || !Multipliers.ContainsKey(previous))
            {
                FlushValue();
                Emit(current);
            }
        }
        else if (current is "double" or "triple")
        {
            if (next is not null && (Ones.ContainsKey(next) || Zeros.Contains(next)))
            {
                var digit = Text(Ones.GetValueOrDefault(next));
                SetValue(ValueTextUnlessZero + digit + digit + (current == "triple" ? digit : ""));
                return true;
            }

            FlushValue();
            Emit(current);
        }
        else if (nextIsNumeric || Ones.ContainsKey(next!) || Tens.ContainsKey(next!) || Zeros.Contains(next!))
        {
            SetValue(ValueTextUnlessZero + ".");
        }

        // "point" before any other number word is dropped, as upstream.
        return false;
    }

    /// <summary>The sum with a number below 20 where the number so far has room for it; null when the digits are to be strung together.</summary>
    private BigInteger? AppendOnes(string? previous, int ones)
    {
        if (!HasValue)
        {
            return ones;
        }

        return _integer is { } value && (previous is null || !Ones.ContainsKey(previous)) && (value % (ones < 10 ? 10 : 100)).IsZero
            ? value + ones
            : null;
    }

    private string DigitsWithOnes(string? previous, int ones)
    {
        // A string of digits that ends in twenty: twenty one is 21, not 201.
        var replacesZero = _digits is not null && previous is not null && ones < 10 && Tens.ContainsKey(previous);
        return (replacesZero ? _digits![..^1] : ValueText) + Text(ones);
    }

    private BigInteger? AppendTens(int tens)
    {
        if (!HasValue)
        {
            return tens;
        }

        return _integer is { } value && (value % 100).IsZero ? value + tens : null;
    }

    /// <summary>The number so far times a multiplier, which applies to its last three digits; null when that gives no integer.</summary>
    private BigInteger? Multiply(BigInteger multiplier)
    {
        if (_digits is not null)
        {
            return TimesPowerOfTen(_digits, multiplier);
        }

        if (_integer is not { } value)
        {
            return multiplier;
        }

        var rest = value % 1000;
        return value - rest + (rest * multiplier);
    }

    /// <summary>A decimal times a power of ten if that is an integer; null if it is none, or the text no decimal.</summary>
    private static BigInteger? TimesPowerOfTen(string text, BigInteger power)
    {
        var digits = new StringBuilder(text.Length);
        var point = -1;
        for (var index = 0; index < text.Length;)
        {
            var codePoint = CodePoints.At(text, index);
            index += CodePoints.Width(codePoint);
            if (codePoint == '.' && point < 0)
            {
                point = digits.Length;
            }
            else if (CodePoints.IsDigit(codePoint))
            {
                digits.Append((char)('0' + CodePoints.DigitValue(codePoint)));
            }
            else
            {
                return null;
            }
        }

        if (digits.Length == 0)
        {
            return null;
        }

        var (quotient, remainder) = BigInteger.DivRem(
            BigInteger.Parse(digits.ToString(), NumberStyles.None, CultureInfo.InvariantCulture) * power,
            BigInteger.Pow(10, point < 0 ? 0 : digits.Length - point));
        return remainder.IsZero ? quotient : null;
    }

    private void SetValue(BigInteger value) => (_integer, _digits) = (value, null);

    private void SetValue(string digits) => (_integer, _digits) = (null, digits);

    private void FlushValue()
    {
        if (HasValue)
        {
            Emit(ValueText);
        }
    }

    private void Emit(string text)
    {
        _output.Add(_prefix + text);
        (_prefix, _integer, _digits) = (null, null, null);
    }

    /// <summary>Digits of any script, with at most one point between digits.</summary>
    private static bool IsNumeric(string text)
    {
        var point = false;
        var digit = false;
        for (var index = 0; index < text.Length;)
        {
            var codePoint = CodePoints.At(text, index);
            index += CodePoints.Width(codePoint);
            if (codePoint == '.' && digit && !point)
            {
                (point, digit) = (true, false);
            }
            else if (CodePoints.IsDigit(codePoint))
            {
                digit = true;
            }
            else
            {
                return false;
            }
        }

        return digit;
    }

    /// <summary>"NUMBER and a half" → "NUMBER point five".</summary>
    private static string SpellHalves(string text)
    {
        var segments = new List<string>();
        var start = 0;
        for (var index = 0; index < text.Length;)
        {
            var end = MatchAndAHalf(text, index);
            if (end < 0)
            {
                index++;
                continue;
            }

            segments.Add(text[start..index]);
            start = index = end;
        }

        if (segments.Count == 0)
        {
            return text;
        }

        segments.Add(text[start..]);
        var results = new List<string>();
        for (var index = 0; index < segments.Count; index++)
        {
            var words = CodePoints.SplitWords(segments[index]);
            if (words.Count == 0)
            {
                continue;
            }

            results.Add(segments[index]);
            if (index + 1 < segments.Count)
            {
                var last = words[^1];
                var numeric = Ones.ContainsKey(last) || Tens.ContainsKey(last) || Zeros.Contains(last) || Multipliers.ContainsKey(last);
                results.Add(numeric ? "point five" : "and a half");
            }
        }

        return string.Join(' ', results);
    }

    /// <summary>The end of the words "and a half" that start here, or −1.</summary>
    private static int MatchAndAHalf(string text, int index)
    {
        ReadOnlySpan<string> words = ["and", "a", "half"];
        if (text[index] != 'a' || !CodePoints.IsWordBoundary(text, index))
        {
            return -1;
        }

        for (var word = 0; word < words.Length; word++)
        {
            var spaces = index;
            while (word > 0 && index < text.Length && CodePoints.IsSpace(text[index]))
            {
                index++;
            }

            if ((word > 0 && index == spaces) || string.CompareOrdinal(text, index, words[word], 0, words[word].Length) != 0)
            {
                return -1;
            }

            index += words[word].Length;
        }

        return CodePoints.IsWordBoundary(text, index) ? index : -1;
    }

    /// <summary>A space between digits and letters, but none before a number's suffix (1960s, 32nd).</summary>
    private static string SpaceNumbers(string text)
    {
        var spaced = new StringBuilder(text.Length + 8);
        for (var index = 0; index < text.Length; index++)
        {
            if (index > 0
                && ((char.IsAsciiLetterLower(text[index - 1]) && char.IsAsciiDigit(text[index]))
                    || (char.IsAsciiDigit(text[index - 1]) && char.IsAsciiLetterLower(text[index]))))
            {
                spaced.Append(' ');
            }

            spaced.Append(text[index]);
        }

        text = spaced.ToString();
        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length; index++)
        {
            result.Append(text[index]);
            if (char.IsAsciiDigit(text[index]))
            {
                var suffix = index + 1;
                while (suffix < text.Length && CodePoints.IsSpace(text[suffix]))
                {
                    suffix++;
                }

                if (suffix > index + 1 && StartsWithSuffix(text, suffix))
                {
                    index = suffix - 1;
                }
            }
        }

        return result.ToString();
    }

    private static bool StartsWithSuffix(string text, int index)
    {
        foreach (var suffix in (ReadOnlySpan<string>)["st", "nd", "rd", "th", "s"])
        {
            if (string.CompareOrdinal(text, index, suffix, 0, suffix.Length) == 0 && CodePoints.IsWordBoundary(text, index + suffix.Length))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>"$2 and ¢7" → "$2.07", "$0.07" → "¢7", and a lone 1 back to "one".</summary>
    private static string JoinCents(string text)
    {
        text = Rewrite(text, CentsAfterUnits);
        text = Rewrite(text, CentsOnly);
        return Rewrite(text, LoneOne);
    }

    private delegate int Rule(string text, int index, StringBuilder result);

    /// <summary>Applies a rule from left to right. It returns the end of what it replaced, or −1.</summary>
    private static string Rewrite(string text, Rule rule)
    {
        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length;)
        {
            var end = rule(text, index, result);
            if (end < 0)
            {
                result.Append(text[index++]);
            }
            else
            {
                index = end;
            }
        }

        return result.ToString();
    }

    private static int CentsAfterUnits(string text, int index, StringBuilder result)
    {
        if (text[index] is not ('€' or '£' or '$'))
        {
            return -1;
        }

        var units = index + 1;
        var end = EndOfDigits(text, units);
        var cents = end;
        if (end == units || cents == text.Length || text[cents++] != ' ')
        {
            return -1;
        }

        if (string.CompareOrdinal(text, cents, "and ", 0, 4) == 0)
        {
            cents += 4;
        }

        if (cents == text.Length || text[cents++] != '¢' || EndOfCents(text, cents) is not { } last)
        {
            return -1;
        }

        result.Append(text, index, end - index).Append('.').Append(text[cents..last].PadLeft(2, '0'));
        return last;
    }

    private static int CentsOnly(string text, int index, StringBuilder result)
    {
        if (text[index] is not ('€' or '£' or '$') || index + 2 >= text.Length || text[index + 1] != '0' || text[index + 2] == '\n')
        {
            return -1;
        }

        // Upstream takes any character for the point.
        var cents = index + 2 + CodePoints.Width(CodePoints.At(text, index + 2));
        if (EndOfCents(text, cents) is not { } last)
        {
            return -1;
        }

        result.Append('¢').Append(int.Parse(text.AsSpan(cents, last - cents), NumberStyles.None, CultureInfo.InvariantCulture));
        return last;
    }

    private static int LoneOne(string text, int index, StringBuilder result)
    {
        if (text[index] != '1' || !CodePoints.IsWordBoundary(text, index))
        {
            return -1;
        }

        var end = index + 1 < text.Length && text[index + 1] == 's' ? index + 2 : index + 1;
        if (!CodePoints.IsWordBoundary(text, end))
        {
            return -1;
        }

        result.Append("one").Append(text, index + 1, end - index - 1);
        return end;
    }

    private static int EndOfDigits(string text, int index)
    {
        while (index < text.Length && char.IsAsciiDigit(text[index]))
        {
            index++;
        }

        return index;
    }

    /// <summary>The end of one or two digits that end a word, or null.</summary>
    private static int? EndOfCents(string text, int index)
    {
        var end = EndOfDigits(text, index);
        return end - index is 1 or 2 && CodePoints.IsWordBoundary(text, end) ? end : null;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static FrozenDictionary<string, int> Number(int first, string[] names, int step) =>
        names.Select((name, index) => KeyValuePair.Create(name, first + (index * step))).ToFrozenDictionary(StringComparer.Ordinal);

    private static FrozenDictionary<string, (int Value, string Suffix)> SuffixOnes()
    {
        var result = new Dictionary<string, (int Value, string Suffix)>
        {
            ["zeroth"] = (0, "th"),
            ["first"] = (1, "st"),
            ["second"] = (2, "nd"),
            ["third"] = (3, "rd"),
            ["fifth"] = (5, "th"),
            ["twelfth"] = (12, "th"),
        };
        foreach (var (name, value) in Ones)
        {
            result[name == "six" ? "sixes" : name + "s"] = (value, "s");
            if (value is > 3 and not 5 and not 12)
            {
                result[name + (name.EndsWith('t') ? "h" : "th")] = (value, "th");
            }
        }

        return result.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
