using System.Globalization;
using System.Text;

namespace AsrPlatform.Whisper.Text;

/// <summary>
/// Unicode normalisation forms KC and KD (Unicode Standard Annex 15).
/// </summary>
/// <remarks>
/// Our own because <see cref="string.Normalize()"/> changes nothing in invariant globalisation, and elsewhere answers by the version of
/// the ICU that happens to be installed. The tables are read at the first text that is not ASCII. Safe for concurrent calls.
/// </remarks>
internal static class CompatibilityForm
{
    private const int HangulBase = 0xAC00;
    private const int HangulCount = 11172;
    private const int LeadBase = 0x1100;
    private const int LeadCount = 19;
    private const int VowelBase = 0x1161;
    private const int VowelCount = 21;
    private const int TrailBase = 0x11A7;
    private const int TrailCount = 28;

    private static readonly Lazy<Tables> Data = new(Tables.Read);

    /// <summary>Form KC: compatibility decomposition, then canonical composition.</summary>
    public static string Compose(string text) =>
        System.Text.Ascii.IsValid(text) ? text : ToString(Recompose(Decomposition(text)));

    /// <summary>Form KD: compatibility decomposition.</summary>
    public static string Decompose(string text) =>
        System.Text.Ascii.IsValid(text) ? text : ToString(Decomposition(text));

    private static string ToString(List<int> codePoints)
    {
        var result = new StringBuilder(codePoints.Count + 8);
        foreach (var codePoint in codePoints)
        {
            CodePoints.Append(result, codePoint);
        }

        return result.ToString();
    }

    private static List<int> Decomposition(string text)
    {
        var tables = Data.Value;
        var result = new List<int>(text.Length + 8);
        for (var index = 0; index < text.Length;)
        {
            var codePoint = CodePoints.At(text, index);
            index += CodePoints.Width(codePoint);
            Expand(tables, codePoint, result);
        }

        // Canonical order: marks between two starters by class, a stable sort. Runs are short save in hostile text.
        for (var start = 0; start < result.Count;)
        {
            if (tables.Class(result[start]) == 0)
            {
                start++;
                continue;
            }

            var end = start + 1;
            while (end < result.Count && tables.Class(result[end]) != 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                var ordered = result.GetRange(start, end - start).OrderBy(tables.Class).ToArray();
                for (var offset = 0; offset < ordered.Length; offset++)
                {
                    result[start + offset] = ordered[offset];
                }
            }

            start = end;
        }

        return result;
    }

    private static void Expand(Tables tables, int codePoint, List<int> result)
    {
        var syllable = codePoint - HangulBase;
        if (codePoint < 0x80)
        {
            result.Add(codePoint);
        }
        else if (syllable is >= 0 and < HangulCount)
        {
            result.Add(LeadBase + (syllable / (VowelCount * TrailCount)));
            result.Add(VowelBase + (syllable % (VowelCount * TrailCount) / TrailCount));
            if (syllable % TrailCount != 0)
            {
                result.Add(TrailBase + (syllable % TrailCount));
            }
        }
        else if (tables.Mappings.TryGetValue(codePoint, out var mapping))
        {
            foreach (var part in mapping)
            {
                Expand(tables, part, result);
            }
        }
        else
        {
            result.Add(codePoint);
        }
    }

    private static List<int> Recompose(List<int> source)
    {
        var tables = Data.Value;
        var result = new List<int>(source.Count);
        var starter = -1;
        var lastClass = -1;
        foreach (var codePoint in source)
        {
            var combiningClass = tables.Class(codePoint);

            // Blocked when something of the same or a higher class stands between, or another starter.
            if (starter >= 0 && lastClass < combiningClass && Pair(tables, result[starter], codePoint) is { } composed)
            {
                result[starter] = composed;
                continue;
            }

            if (combiningClass == 0)
            {
                starter = result.Count;
                lastClass = -1;
            }
            else
            {
                lastClass = combiningClass;
            }

            result.Add(codePoint);
        }

        return result;
    }

    private static int? Pair(Tables tables, int first, int second)
    {
        if (first - LeadBase is >= 0 and < LeadCount && second - VowelBase is >= 0 and < VowelCount)
        {
            return HangulBase + ((((first - LeadBase) * VowelCount) + second - VowelBase) * TrailCount);
        }

        if (first - HangulBase is >= 0 and < HangulCount && (first - HangulBase) % TrailCount == 0
            && second - TrailBase is > 0 and < TrailCount)
        {
            return first + second - TrailBase;
        }

        return tables.Pairs.TryGetValue(((long)first << 32) | (uint)second, out var composed) ? composed : null;
    }

    private sealed record Tables(Dictionary<int, int[]> Mappings, Dictionary<long, int> Pairs, Dictionary<int, byte> Classes)
    {
        public int Class(int codePoint) => codePoint < 0x300 ? 0 : Classes.GetValueOrDefault(codePoint);

        public static Tables Read()
        {
            var tables = new Tables(new(6000), new(1000), new(1000));
            using var stream = typeof(CompatibilityForm).Assembly.GetManifestResourceStream("UnicodeDecompositions.txt")!;
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                if (line.StartsWith('#'))
                {
                    continue;
                }

                var mark = line.AsSpan().IndexOfAny("=!~@");
                if (line[mark] == '@')
                {
                    var dash = line.IndexOf('-', StringComparison.Ordinal);
                    var value = byte.Parse(line.AsSpan(mark + 1), NumberStyles.None, CultureInfo.InvariantCulture);
                    for (var member = Hex(line.AsSpan(0, dash)); member <= Hex(line.AsSpan(dash + 1, mark - dash - 1)); member++)
                    {
                        tables.Classes.Add(member, value);
                    }

                    continue;
                }

                var codePoint = Hex(line.AsSpan(0, mark));
                var mapping = line[(mark + 1)..].Split(' ').Select(part => Hex(part)).ToArray();
                tables.Mappings.Add(codePoint, mapping);
                if (line[mark] == '=')
                {
                    tables.Pairs.Add(((long)mapping[0] << 32) | (uint)mapping[1], codePoint);
                }
            }

            return tables;
        }

        private static int Hex(ReadOnlySpan<char> digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }
}
