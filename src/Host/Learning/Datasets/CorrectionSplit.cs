using System.Security.Cryptography;
using System.Text;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Learning.Datasets;

/// <summary>Gives corrections their side: held out or trained on. Pure: the same corrections get the same sides in any order.</summary>
internal static class CorrectionSplit
{
    /// <summary>Held-out utterances below which they decide nothing: a split begins with so many.</summary>
    public const int MinimumHeldOut = 10;

    /// <summary>Texts that share this part of their different words say the same.</summary>
    public const double SameWords = 0.8;

    /// <summary>Gives a side to those that have none.</summary>
    /// <param name="corrections">All, those with a side included.</param>
    /// <param name="share">Part to hold out, 0 … 0.5.</param>
    /// <returns>
    /// The new sides by number. Near-duplicates (the same normalised text, clip or utterance, or nearly all words) are on one side; one that is near to
    /// utterances of both sides gets none, and is used for neither. While <paramref name="share"/> of all would be fewer than
    /// <see cref="MinimumHeldOut"/>, all are trained on. Each speaker and domain is held out in proportion, the utterances with the lowest
    /// hashes of text and clip first.
    /// </returns>
    public static IReadOnlyDictionary<long, SplitSide> Assign(IReadOnlyList<DatasetCorrection> corrections, double share)
    {
        ArgumentNullException.ThrowIfNull(corrections);
        ArgumentOutOfRangeException.ThrowIfNegative(share);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(share, 0.5);
        var groups = Groups(corrections);
        var sides = new Dictionary<long, SplitSide>();
        List<Group> open = [];
        foreach (var group in groups)
        {
            if (group.Sides is [var side])
            {
                Give(sides, group, side);
            }
            else if (group.Sides is [])
            {
                open.Add(group);
            }
        }

        if (Math.Floor((share * corrections.Count) + 1e-9) < MinimumHeldOut)
        {
            open.ForEach(group => Give(sides, group, SplitSide.Train));
            return sides;
        }

        // What is rounded away in one stratum is made good in the next.
        var (wanted, held) = (0.0, 0);
        foreach (var stratum in groups.GroupBy(group => group.Stratum).OrderBy(stratum => stratum.Key, StringComparer.Ordinal))
        {
            wanted += share * stratum.Sum(group => group.Members.Count);
            held += stratum.Where(group => group.Sides is [SplitSide.HeldOut]).Sum(group => group.Members.Count);
            foreach (var group in stratum.Where(group => group.Sides is []).OrderBy(group => group.Hash, StringComparer.Ordinal))
            {
                var fits = held + group.Members.Count <= wanted + 0.5;
                Give(sides, group, fits ? SplitSide.HeldOut : SplitSide.Train);
                held += fits ? group.Members.Count : 0;
            }
        }

        return sides;
    }

    /// <summary>What two texts must share to say the same.</summary>
    internal static string Normalize(string text) => string.Join(' ', Words(text));

    private static void Give(Dictionary<long, SplitSide> sides, Group group, SplitSide side)
    {
        foreach (var member in group.Members.Where(member => member.Side is null))
        {
            sides.Add(member.Number, side);
        }
    }

    private static List<Group> Groups(IReadOnlyList<DatasetCorrection> corrections)
    {
        var units = corrections.Select(correction => Units(correction.Text)).ToArray();
        var parents = Enumerable.Range(0, corrections.Count).ToArray();
        int Root(int index)
        {
            while (parents[index] != index)
            {
                index = parents[index] = parents[parents[index]];
            }

            return index;
        }

        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var index = 0; index < corrections.Count; index++)
        {
            var (text, clip, utterance) = (Normalize(corrections[index].Text), corrections[index].Clip, corrections[index].Utterance);
            foreach (var key in (string?[])["text " + text, clip is null ? null : "clip " + clip, utterance is null ? null : "utterance " + utterance])
            {
                if (key is not null && !seen.TryAdd(key, index))
                {
                    parents[Root(index)] = Root(seen[key]);
                }
            }
        }

        foreach (var (first, second) in Similar(units))
        {
            parents[Root(first)] = Root(second);
        }

        return [.. Enumerable.Range(0, corrections.Count).GroupBy(Root).Select(members => new Group([.. members.Select(index => corrections[index])]))];
    }

    /// <summary>
    /// Pairs whose sets overlap by <see cref="SameWords"/> or more. Such a pair shares one of the rarest units of each: only those that do
    /// are compared.
    /// </summary>
    private static IEnumerable<(int First, int Second)> Similar(HashSet<string>[] units)
    {
        var counts = units.SelectMany(set => set).GroupBy(unit => unit, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);
        var index = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        for (var at = 0; at < units.Length; at++)
        {
            var set = units[at];
            var rarest = set.OrderBy(unit => counts[unit]).ThenBy(unit => unit, StringComparer.Ordinal).Take(set.Count - (int)Math.Ceiling(SameWords * set.Count) + 1);
            var candidates = new HashSet<int>();
            foreach (var unit in rarest)
            {
                if (!index.TryGetValue(unit, out var others))
                {
                    index.Add(unit, others = []);
                }

                candidates.UnionWith(others);
                others.Add(at);
            }

            foreach (var other in candidates)
            {
                var shared = set.Count(units[other].Contains);
                if (shared >= SameWords * (set.Count + units[other].Count - shared))
                {
                    yield return (at, other);
                }
            }
        }
    }

    /// <summary>The different words; pairs of letters where a text has no spaces, as Japanese has none.</summary>
    private static HashSet<string> Units(string text)
    {
        var words = Words(text);
        return words is [{ Length: >= 6 } one]
            ? [.. Enumerable.Range(0, one.Length - 1).Select(at => one.Substring(at, 2))]
            : [.. words];
    }

    private static string[] Words(string text) => new BasicTextNormalizer().Normalize(text).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private sealed class Group
    {
        public Group(IReadOnlyList<DatasetCorrection> members)
        {
            Members = members;
            Sides = [.. members.Select(member => member.Side).OfType<SplitSide>().Distinct()];
            (Hash, Stratum) = members.Select(member => (HashOf(member), StratumOf(member))).Min();
        }

        public IReadOnlyList<DatasetCorrection> Members { get; }

        /// <summary>The sides that members have.</summary>
        public IReadOnlyList<SplitSide> Sides { get; }

        /// <summary>The lowest of its members', whose stratum is the group's.</summary>
        public string Hash { get; }

        public string Stratum { get; }

        private static string HashOf(DatasetCorrection member) =>
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Normalize(member.Text)}\n{member.Clip}")));

        private static string StratumOf(DatasetCorrection member) => $"{member.Speaker}\n{member.Domain}";
    }
}
