using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>
/// Lets festival's speakers of other languages read English: an English voice says which phones come when and how high, and each phone becomes
/// the nearest one, or two, that the speaker has. That is a strong accent, and another human voice.
/// </summary>
internal sealed class ForeignSpeaker
{
    /// <summary>The end of such a voice's name: <c>lp_diphone@en</c>.</summary>
    public const string Suffix = "@en";

    private const string Italian =
        "aa:a ae:E ah:a ao:O aw:a+u ax:e axr:e+r ay:a+i b:b ch:tS d:d dh:d dx:d eh:E el:e+l em:e+m en:e+n er:e+r ey:e+i f:f g:g hh: hv: ih:i iy:i jh:dZ k:k l:l m:m n:n nx:n ng:n+g "
        + "ow:o+u oy:o+i p:p r:r s:s sh:S t:t th:t uh:u uw:u v:v w:w y:j z:z zh:dZ pau:#";

    private const string Czech =
        "aa:a: ae:e ah:a ao:o: aw:a+u ax:e axr:e+r ay:a+j b:b ch:c~ d:d dh:d dx:d eh:e el:e+l em:e+m en:e+n er:e+r ey:e+j f:f g:g hh:h hv:h ih:i iy:i: jh:dz~ k:k l:l m:m n:n nx:n ng:n "
        + "ow:o+u oy:o+j p:p r:r s:s sh:s~ t:t th:t uh:u uw:u: v:v w:v y:j z:z zh:z~ pau:#";

    private const string Finnish =
        "aa:a ae:@ ah:a ao:o aw:a+u ax:e axr:e+r ay:a+i b:b ch:t+S d:d dh:d dx:d eh:e el:e+l em:e+m en:e+n er:7+r ey:e+i f:f g:g hh:h hv:h ih:i iy:i jh:d+S k:k l:l m:m n:n nx:n ng:N "
        + "ow:o+u oy:o+i p:p r:r s:s sh:S t:t th:t uh:u uw:u v:v w:v y:j z:s zh:S pau:#";

    // Pitches are factors between the English voice's own, a man's, and the speaker's.
    private static readonly FrozenDictionary<string, ForeignSpeaker> All = new Dictionary<string, ForeignSpeaker>(StringComparer.Ordinal)
    {
        ["lp_diphone"] = new(Italian, 1.8),
        ["pc_diphone"] = new(Italian, 1.1),
        ["czech_dita"] = new(Czech, 1.8),
        ["czech_krb"] = new(Czech, 2),
        ["czech_machac"] = new(Czech, 1),
        ["czech_ph"] = new(Czech, 1),
        ["suo_fi_lj_diphone"] = new(Finnish.Replace("S", "s", StringComparison.Ordinal), 1.8), // was recorded without S
        ["hy_fi_mv_diphone"] = new(Finnish, 1),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private readonly FrozenDictionary<string, string[]> _phones;
    private readonly double _pitch;

    private ForeignSpeaker(string phones, double pitch)
    {
        _phones = phones.Split(' ').Select(pair => pair.Split(':', 2)).ToFrozenDictionary(pair => pair[0], pair => pair[1].Split('+', StringSplitOptions.RemoveEmptyEntries), StringComparer.Ordinal);
        _pitch = pitch;
    }

    /// <summary>The speaker of a festival voice; null where none is known.</summary>
    /// <param name="voice">festival's name, with or without <see cref="Suffix"/>.</param>
    public static ForeignSpeaker? Find(string voice) => All.GetValueOrDefault(voice.EndsWith(Suffix, StringComparison.Ordinal) ? voice[..^Suffix.Length] : voice);

    /// <summary>An expression that makes a voice's segments of an English voice's, for festival's utterances of the type <c>Segments</c>.</summary>
    /// <param name="segments">
    /// Lines of <c>S</c>, phone, end, and any number of times and pitches, with tabs between; times in seconds from the start of the utterance.
    /// </param>
    public string Translate(IEnumerable<string> segments)
    {
        var phones = new List<(string Name, double Start, double End, List<(double Time, double Hz)> Targets)>();
        var start = 0.0;
        foreach (var line in segments.Select(line => line.Split('\t')).Where(line => line is ["S", _, _, ..]))
        {
            var end = FestivalSynthesizer.Parse(line[2]);
            var targets = Enumerable.Range(0, (line.Length - 3) / 2).Select(index => (Time: FestivalSynthesizer.Parse(line[3 + (2 * index)]), Hz: FestivalSynthesizer.Parse(line[4 + (2 * index)]) * _pitch)).ToList();
            var names = _phones.GetValueOrDefault(line[1], []);
            if (names.Length == 0)
            {
                // Who has no such phone leaves it out, and stays on the one before.
                if (phones.Count > 0)
                {
                    phones[^1] = phones[^1] with { End = end };
                    phones[^1].Targets.AddRange(targets);
                }
            }
            else
            {
                var length = (end - start) / names.Length;
                for (var index = 0; index < names.Length; index++)
                {
                    var (from, to) = (start + (index * length), start + ((index + 1) * length));
                    var isLast = index == names.Length - 1;
                    phones.Add((names[index], from, to, targets.FindAll(target => (index == 0 || target.Time >= from) && (isLast || target.Time < to))));
                }
            }

            start = end;
        }

        var text = new StringBuilder();
        foreach (var (name, from, to, targets) in phones)
        {
            text.Append(CultureInfo.InvariantCulture, $"({name} {to - from:0.####}");
            foreach (var (time, hz) in targets)
            {
                text.Append(CultureInfo.InvariantCulture, $" ({Math.Clamp(time - from, 0, to - from):0.####} {hz:0.#})");
            }

            text.Append(')');
        }

        return text.ToString();
    }
}
