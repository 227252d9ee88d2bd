using System.Text.Json;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Transcripts;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>The utterance that a segment of a session is of: what was heard, and what its segments say now.</summary>
/// <remarks>
/// Segments of which each starts at the sample where the one before it ends are one utterance. A long one is cut between segments, from
/// its start on, into parts of at most <see cref="MaximumSeconds"/>; a part does not change when the utterance grows, except for the last.
/// </remarks>
internal sealed record CaptionedUtterance
{
    /// <summary>What the shipped model hears at once; few people say more without a pause.</summary>
    public const int MaximumSeconds = 15;

    /// <summary>Segments that are read at a time.</summary>
    private const int Block = 32;

    public required long FirstSegment { get; init; }

    public required long LastSegment { get; init; }

    /// <summary>First sample, in the session's audio.</summary>
    public required long StartSample { get; init; }

    /// <summary>Sample after the last one.</summary>
    public required long EndSample { get; init; }

    /// <summary>What the model heard.</summary>
    public required string Hypothesis { get; init; }

    /// <summary>The newest text of each segment.</summary>
    public required string Text { get; init; }

    /// <summary>The hypothesis' words, in seconds from <see cref="StartSample"/>.</summary>
    public required IReadOnlyList<CaptionWord> Words { get; init; }

    public required string? Language { get; init; }

    /// <summary>What made the hypothesis of the segment that was asked for.</summary>
    public required string AdapterVersion { get; init; }

    /// <summary>Whether no segment of the session follows yet: more of the utterance may come.</summary>
    public required bool IsNewest { get; init; }

    /// <summary>Finds it.</summary>
    /// <param name="connection">The database.</param>
    /// <param name="session">The session's number.</param>
    /// <param name="sampleRateHz">The session's.</param>
    /// <param name="segment">A committed segment.</param>
    public static CaptionedUtterance Of(SqliteConnection connection, long session, int sampleRateHz, long segment)
    {
        List<Segment> chain = [.. Read(connection, session, segment, segment)];
        while (chain[0].Number > 1 && Before(connection, session, chain[0]) is { Count: > 0 } before)
        {
            chain.InsertRange(0, before);
        }

        while (true)
        {
            var next = Read(connection, session, chain[^1].Number + 1, chain[^1].Number + Block);
            var joined = next.TakeWhile((one, index) => one.Start == (index == 0 ? chain[^1] : next[index - 1]).End).ToList();
            chain.AddRange(joined);
            if (joined.Count < Block)
            {
                var part = Part(chain, segment, (long)MaximumSeconds * sampleRateHz);
                return Join(part, sampleRateHz, segment, joined.Count == next.Count && part[^1] == chain[^1]);
            }
        }
    }

    /// <summary>The part that a segment is in.</summary>
    private static List<Segment> Part(List<Segment> chain, long segment, long maximum)
    {
        List<Segment> part = [];
        foreach (var next in chain)
        {
            if (part.Count > 0 && next.End - part[0].Start > maximum)
            {
                if (part[^1].Number >= segment)
                {
                    break;
                }

                part.Clear();
            }

            part.Add(next);
        }

        return part;
    }

    private static CaptionedUtterance Join(List<Segment> part, int sampleRateHz, long segment, bool isNewest)
    {
        var (hypothesis, text) = ("", "");
        List<CaptionWord> words = [];
        var offset = part[0].Start / (double)sampleRateHz;
        foreach (var one in part)
        {
            var separator = CaptionJoin.Separator(one.Language);
            hypothesis = Append(hypothesis, separator, one.Heard);
            text = Append(text, separator, one.Text);
            words.AddRange(one.Words.Select(word => word with { Start = Math.Round(Math.Max(0, word.Start - offset), 3), End = Math.Round(Math.Max(0, word.End - offset), 3) }));
        }

        var asked = part.Find(one => one.Number == segment)!;
        return new CaptionedUtterance
        {
            FirstSegment = part[0].Number,
            LastSegment = part[^1].Number,
            StartSample = part[0].Start,
            EndSample = part[^1].End,
            Hypothesis = hypothesis,
            Text = text,
            Words = words,
            Language = asked.Language,
            AdapterVersion = asked.AdapterVersion,
            IsNewest = isNewest,
        };
    }

    private static string Append(string text, string separator, string more) =>
        text.Length == 0 ? more : more.Length == 0 ? text : text + separator + more;

    /// <summary>What goes on to a segment, of the block before it.</summary>
    private static List<Segment> Before(SqliteConnection connection, long session, Segment first)
    {
        var block = Read(connection, session, Math.Max(1, first.Number - Block), first.Number - 1);
        var from = block.Count;
        for (var start = first.Start; from > 0 && block[from - 1].End == start; from--)
        {
            start = block[from - 1].Start;
        }

        return block[from..];
    }

    private static List<Segment> Read(SqliteConnection connection, long session, long first, long last)
    {
        var rows = connection.Query(
            """
            SELECT segment, state, text, words, language, adapter_version, start_sample, end_sample
            FROM caption WHERE session = $session AND segment BETWEEN $first AND $last ORDER BY segment, revision
            """,
            reader => (
                Segment: reader.GetInt64(0), IsHeard: reader.GetString(1) == "committed", Text: reader.GetString(2), Words: reader.GetString(3),
                Language: reader.Text(4), Adapter: reader.GetString(5), Start: reader.GetInt64(6), End: reader.GetInt64(7)),
            ("$session", session),
            ("$first", first),
            ("$last", last));
        return
        [
            .. rows.GroupBy(row => row.Segment).Select(group =>
            {
                var heard = group.LastOrDefault(row => row.IsHeard);
                var newest = group.Last();
                return new Segment(
                    group.Key,
                    newest.Start,
                    newest.End,
                    heard.Text ?? "",
                    newest.Text,
                    heard.Words is null ? [] : JsonSerializer.Deserialize<List<CaptionWord>>(heard.Words, JsonSerializerOptions.Web)!,
                    newest.Language,
                    newest.Adapter);
            }),
        ];
    }

    private sealed record Segment(long Number, long Start, long End, string Heard, string Text, IReadOnlyList<CaptionWord> Words, string? Language, string AdapterVersion);
}
