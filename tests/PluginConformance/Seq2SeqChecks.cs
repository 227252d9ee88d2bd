using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.PluginConformance;

/// <summary>What every <see cref="ISeq2SeqModel"/> must do: the decoders in src/Whisper rely on each of these.</summary>
internal sealed class Seq2SeqChecks(Checklist list, ISeq2SeqBackend backend, ModelLoadOptions options)
{
    private const int Steps = 8;

    private ISeq2SeqModel _model = null!;
    private Seq2SeqModelInfo _info = null!;
    private float[] _features = [];
    private int[] _tokens = [];

    public void Run()
    {
        list.Run("seq2seq: devices", () =>
        {
            Expect.That(backend.Devices.Count > 0, "there is none");
            return string.Join(", ", backend.Devices.Select(device => device.Name));
        });
        list.Run("seq2seq: a folder without a model", CheckEmptyFolder);
        if (options.ModelDirectory is not { } directory)
        {
            list.Skip("seq2seq", "give a checkpoint with --model DIR");
            return;
        }

        if (!list.Run("seq2seq: loads", () => Load(directory)))
        {
            return;
        }

        try
        {
            Check(directory);
        }
        finally
        {
            list.Run("seq2seq: disposal", () =>
            {
                _model.Dispose();
                _model.Dispose();
            });
        }
    }

    private void Load(string directory)
    {
        Expect.That(backend.CanLoad(directory, out var reason), $"CanLoad says: {reason}");
        _model = backend.Load(options);
        _info = _model.Info;
        Expect.That(
            _info is { FeatureSize: > 0, Width: > 0, VocabularySize: > 1, MaxSourcePositions: > 1, MaxTargetPositions: > Steps + 2, DecoderLayers: > 0, DecoderHeads: > 0, Parameters: > 0 },
            $"Info is {_info}");

        var random = new Random(7);
        _features = [.. Enumerable.Range(0, 3 * _info.FeatureSize * Frames).Select(_ => (random.NextSingle() * 2) - 1)]; // [3, feature, frame]
        _tokens = [.. Enumerable.Range(0, 3 * (Steps + 2)).Select(_ => random.Next(_info.VocabularySize))];
    }

    /// <summary>The model's whole context, as Whisper always encodes it.</summary>
    private int Frames => 2 * _info.MaxSourcePositions;

    private int FeatureLength => _info.FeatureSize * Frames;

    private void Check(string directory)
    {
        list.Run("seq2seq: encode, shapes", CheckEncodeShapes);
        list.Run("seq2seq: encode, the same again", () =>
        {
            var first = Encoded(_features.AsSpan(0, FeatureLength), 1);
            var second = Encoded(_features.AsSpan(0, FeatureLength), 1);
            Expect.That(first.SequenceEqual(second), "two calls gave different states");
        });
        list.Run("seq2seq: encode, rows do not touch each other", () =>
        {
            var together = Encoded(_features, 3);
            var length = together.Length / 3;
            for (var row = 0; row < 3; row++)
            {
                var alone = Encoded(_features.AsSpan(row * FeatureLength, FeatureLength), 1);
                Expect.Close(together.AsSpan(row * length, length), alone, $"row {row} of 3");
            }
        });

        using var states = _model.Encode(_features, 3, Frames);
        list.Run("seq2seq: decode, the same again", () =>
            Expect.That(
                TeacherForced(states, 0, Row(0)).SequenceEqual(TeacherForced(states, 0, Row(0))),
                "two calls gave different logits"));
        list.Run("seq2seq: steps with the cache equal one teacher-forced call", () => CheckSteps(states));
        list.Run("seq2seq: decode, rows do not touch each other", () => CheckBatch(states));
        list.Run("seq2seq: rows of different counts", () => CheckCounts(states));
        list.Run("seq2seq: several rows on one source", () => CheckSharedSource(states));
        list.Run("seq2seq: reorder", () => CheckReorder(states));
        list.Run("seq2seq: truncate", () => CheckTruncate(states));
        list.Run("seq2seq: positions none and last", () => CheckPositions(states));
        if (_info.SupportsAlignment)
        {
            list.Run("seq2seq: alignment", () => CheckAlignment(states));
        }

        list.Run("seq2seq: a shorter context", () =>
        {
            if (!_info.SupportsShortContext)
            {
                Expect.Throws<ArgumentException>("a context that is not the whole", () => _model.Encode(_features.AsSpan(0, _info.FeatureSize * (Frames - 2)), 1, Frames - 2).Dispose());
                return;
            }

            var frames = Math.Max(2, _info.MaxSourcePositions / 2 * 2);
            using var shorter = _model.Encode(_features.AsSpan(0, _info.FeatureSize * frames), 1, frames);
            Expect.That(shorter.Positions == frames / 2, $"{frames} frames gave {shorter.Positions} positions");
            Expect.That(TeacherForced(shorter, 0, Row(0)).All(float.IsFinite), "logits are not finite");
        });

        var before = TeacherForced(states, 0, Row(0));
        foreach (var (name, action) in BadInputs(states))
        {
            list.Run($"seq2seq: refuses {name}", () =>
            {
                Expect.Throws<ArgumentException>(name, action);
                Expect.Close(TeacherForced(states, 0, Row(0)), before, "logits after it");
            });
        }

        list.Run("seq2seq: memory does not grow", () => CheckMemory(states));
        var config = Path.Combine(directory, "config.json");
        if (File.Exists(config))
        {
            list.Run("seq2seq: random weights", () =>
            {
                using var random = TryCreateRandom(File.ReadAllText(config));
                if (random is null)
                {
                    return;
                }

                Expect.That(random.Info.VocabularySize == _info.VocabularySize && random.Info.Width == _info.Width, $"Info is {random.Info}");
                using var encoded = random.Encode(_features.AsSpan(0, FeatureLength), 1, Frames);
                Expect.That(encoded.Positions == _info.MaxSourcePositions, $"{encoded.Positions} positions");
            });
        }
    }

    /// <summary>A model of random weights; null where the backend says that it makes none.</summary>
    private ISeq2SeqModel? TryCreateRandom(string configJson)
    {
        try
        {
            return backend.CreateRandom(configJson, options);
        }
        catch (NotSupportedException error)
        {
            Expect.That(error.Message.Length > 0, "it makes none and says no reason");
            return null;
        }
    }

    private void CheckEmptyFolder()
    {
        var empty = Directory.CreateTempSubdirectory("asr-no-model-").FullName;
        try
        {
            Expect.That(!backend.CanLoad(empty, out var reason), "CanLoad says yes to an empty folder");
            Expect.That(!string.IsNullOrWhiteSpace(reason), "CanLoad says no without a reason");
            Expect.Throws<AsrException>("loading an empty folder", () => backend.Load(options with { ModelDirectory = empty }).Dispose());
        }
        finally
        {
            Directory.Delete(empty);
        }
    }

    private void CheckEncodeShapes()
    {
        using var states = _model.Encode(_features, 3, Frames);
        Expect.That((states.Batch, states.Positions) == (3, _info.MaxSourcePositions), $"3 rows of {Frames} frames gave [{states.Batch}, {states.Positions}]");
        var values = new float[3 * _info.MaxSourcePositions * _info.Width];
        states.CopyTo(values);
        Expect.That(values.All(float.IsFinite), "states are not finite");
        Expect.That(values.Any(value => value != values[0]), "all states are one value");
        using var cache = _model.CreateCache(states, [0, 2], new DecoderCacheOptions());
        Expect.That((cache.Rows, cache.Capacity, cache.Length(0)) == (2, _info.MaxTargetPositions, 0), $"a new cache has {cache.Rows} rows, room for {cache.Capacity} and {cache.Length(0)} tokens");
    }

    private void CheckSteps(IEncoderStates states)
    {
        var expected = TeacherForced(states, 1, Row(1));
        using var cache = _model.CreateCache(states, [1], new DecoderCacheOptions { Capacity = Steps });
        var logits = new float[_info.VocabularySize];
        for (var step = 0; step < Steps; step++)
        {
            _model.Decode(cache, Row(1).AsSpan(step, 1), [], LogitPositions.Last, logits, []);
            Expect.That(cache.Length(0) == step + 1, $"the cache holds {cache.Length(0)} tokens after {step + 1} steps");
            Expect.Close(logits, expected.AsSpan(step * _info.VocabularySize, _info.VocabularySize), $"step {step}");
        }
    }

    private void CheckBatch(IEncoderStates states)
    {
        using var cache = _model.CreateCache(states, [0, 1, 2], new DecoderCacheOptions());
        int[] tokens = [.. Row(0), .. Row(1), .. Row(2)];
        var logits = new float[3 * Steps * _info.VocabularySize];
        _model.Decode(cache, tokens, [], LogitPositions.All, logits, []);
        var length = Steps * _info.VocabularySize;
        for (var row = 0; row < 3; row++)
        {
            Expect.Close(logits.AsSpan(row * length, length), TeacherForced(states, row, Row(row)), $"row {row} of 3");
        }
    }

    private void CheckCounts(IEncoderStates states)
    {
        // Three prompts of 2, 5 and 3 tokens in one call, then a step for all: every row stands somewhere else.
        int[] counts = [2, 5, 3];
        const int width = 5;
        var padded = new int[3 * width];
        for (var row = 0; row < 3; row++)
        {
            Row(row).AsSpan(0, counts[row]).CopyTo(padded.AsSpan(row * width));
        }

        using var cache = _model.CreateCache(states, [0, 1, 2], new DecoderCacheOptions());
        var logits = new float[3 * _info.VocabularySize];
        _model.Decode(cache, padded, counts, LogitPositions.Last, logits, []);
        CheckRows(logits, offset: -1, "the prompt's last token");
        int[] next = [.. Enumerable.Range(0, 3).Select(row => Row(row)[counts[row]])];
        _model.Decode(cache, next, [], LogitPositions.Last, logits, []);
        CheckRows(logits, offset: 0, "the step after it");

        void CheckRows(float[] actual, int offset, string what)
        {
            for (var row = 0; row < 3; row++)
            {
                var position = counts[row] + offset;
                Expect.That(cache.Length(row) == position + 1, $"row {row} holds {cache.Length(row)} tokens instead of {position + 1}");
                var expected = TeacherForced(states, row, Row(row));
                Expect.Close(Slice(actual, row), Slice(expected, position), $"{what}, row {row}");
            }
        }
    }

    private void CheckSharedSource(IEncoderStates states)
    {
        using var cache = _model.CreateCache(states, [2, 0, 2], new DecoderCacheOptions());
        int[] tokens = [.. Row(0), .. Row(1), .. Row(2)];
        var logits = new float[3 * _info.VocabularySize];
        _model.Decode(cache, tokens, [], LogitPositions.Last, logits, []);
        int[] sources = [2, 0, 2];
        for (var row = 0; row < 3; row++)
        {
            Expect.Close(Slice(logits, row), Slice(TeacherForced(states, sources[row], Row(row)), Steps - 1), $"row {row} on source {sources[row]}");
        }
    }

    private void CheckReorder(IEncoderStates states)
    {
        const int prompt = 3;
        using var cache = _model.CreateCache(states, [0, 1, 2], new DecoderCacheOptions { MaxRows = 4 });
        int[] tokens = [.. Row(0)[..prompt], .. Row(1)[..prompt], .. Row(2)[..prompt]];
        _model.Decode(cache, tokens, [], LogitPositions.None, [], []);

        // Turn the rows; repeat one and grow; drop all but two.
        cache.Reorder([1, 2, 0]);
        Continue([1, 2, 0], prompt, "after a permutation");
        cache.Reorder([1, 2, 2, 0]);
        Expect.That(cache.Rows == 4, $"4 rows became {cache.Rows}");
        Continue([2, 0, 0, 1], prompt + 1, "after a growing reorder");
        cache.Reorder([3, 0]);
        Expect.That(cache.Rows == 2, $"2 rows became {cache.Rows}");
        Continue([1, 2], prompt + 2, "after a shrinking reorder");

        void Continue(int[] origin, int position, string what)
        {
            var logits = new float[origin.Length * _info.VocabularySize];
            _model.Decode(cache, [.. origin.Select(row => Row(row)[position])], [], LogitPositions.Last, logits, []);
            for (var row = 0; row < origin.Length; row++)
            {
                Expect.Close(Slice(logits, row), Slice(TeacherForced(states, origin[row], Row(origin[row])), position), $"{what}, row {row}");
            }
        }
    }

    private void CheckTruncate(IEncoderStates states)
    {
        using var cache = _model.CreateCache(states, [0], new DecoderCacheOptions());
        var wrong = Row(1);
        int[] start = [.. Row(0)[..3], .. wrong[..3]];
        _model.Decode(cache, start, [], LogitPositions.None, [], []);
        cache.Truncate(20);
        Expect.That(cache.Length(0) == 6, "truncating to more than there is dropped tokens");
        cache.Truncate(3);
        Expect.That(cache.Length(0) == 3, $"truncated to 3, the cache holds {cache.Length(0)}");
        var logits = new float[_info.VocabularySize];
        _model.Decode(cache, Row(0).AsSpan(3, 1), [], LogitPositions.Last, logits, []);
        Expect.Close(logits, Slice(TeacherForced(states, 0, Row(0)), 3), "the step after it");
    }

    private void CheckPositions(IEncoderStates states)
    {
        using var cache = _model.CreateCache(states, [0], new DecoderCacheOptions());
        _model.Decode(cache, Row(0).AsSpan(0, 4), [], LogitPositions.None, [], []);
        Expect.That(cache.Length(0) == 4, $"four tokens without logits left {cache.Length(0)} in the cache");

        // A buffer that is too long is allowed: what lies behind the logits stays.
        var logits = new float[_info.VocabularySize + 1];
        logits[^1] = 42;
        _model.Decode(cache, Row(0).AsSpan(4, 2), [], LogitPositions.Last, logits, []);
        Expect.That(logits[^1] == 42, "values behind the logits were overwritten");
        Expect.Close(logits.AsSpan(0, _info.VocabularySize), Slice(TeacherForced(states, 0, Row(0)), 5), "the last position");
    }

    private void CheckAlignment(IEncoderStates states)
    {
        AttentionHead[] heads =
        [
            new(_info.DecoderLayers - 1, _info.DecoderHeads - 1),
            new(0, 0),
        ];
        using var cache = _model.CreateCache(states, [0, 1], new DecoderCacheOptions { AlignmentHeads = heads });
        const int width = 4;
        int[] tokens = [.. Row(0)[..width], .. Row(1)[..width]];
        var alignment = new float[2 * heads.Length * width * _info.MaxSourcePositions]; // [row, head, width, position]
        _model.Decode(cache, tokens, [], LogitPositions.None, [], alignment);
        CheckSums(alignment);

        // The same by single steps, the heads in the same order.
        using var steps = _model.CreateCache(states, [0, 1], new DecoderCacheOptions { AlignmentHeads = heads });
        var step = new float[2 * heads.Length * _info.MaxSourcePositions];
        for (var i = 0; i < width; i++)
        {
            _model.Decode(steps, [Row(0)[i], Row(1)[i]], [], LogitPositions.None, [], step);
            for (var head = 0; head < 2 * heads.Length; head++)
            {
                var expected = alignment.AsSpan(((head * width) + i) * _info.MaxSourcePositions, _info.MaxSourcePositions);
                Expect.Close(step.AsSpan(head * _info.MaxSourcePositions, _info.MaxSourcePositions), expected, $"step {i}, row and head {head}");
            }
        }

        // Whoever does not want them passes nothing.
        _model.Decode(steps, [Row(0)[width], Row(1)[width]], [], LogitPositions.None, [], []);

        void CheckSums(float[] values)
        {
            for (var row = 0; row < values.Length / _info.MaxSourcePositions; row++)
            {
                var weights = values.AsSpan(row * _info.MaxSourcePositions, _info.MaxSourcePositions);
                var sum = 0.0;
                foreach (var weight in weights)
                {
                    Expect.That(weight is >= 0 and <= 1.0001f, $"a weight is {weight}");
                    sum += weight;
                }

                Expect.That(Math.Abs(sum - 1) <= 1e-3, $"row {row} of the weights sums to {sum:g6}");
            }
        }
    }

    private IEnumerable<(string Name, Action Action)> BadInputs(IEncoderStates states)
    {
        yield return ("features of a wrong length", () => _model.Encode(_features.AsSpan(0, FeatureLength - 1), 1, Frames).Dispose());
        yield return ("an odd number of frames", () => _model.Encode(_features.AsSpan(0, _info.FeatureSize * 3), 1, 3).Dispose());
        yield return ("too many frames", () => _model.Encode(new float[_info.FeatureSize * (Frames + 2)], 1, Frames + 2).Dispose());
        yield return ("a batch of none", () => _model.Encode([], 0, Frames).Dispose());
        yield return ("a source row that is not there", () => _model.CreateCache(states, [3], new DecoderCacheOptions()).Dispose());
        yield return ("a capacity above the model's", () => _model.CreateCache(states, [0], new DecoderCacheOptions { Capacity = _info.MaxTargetPositions + 1 }).Dispose());
        yield return ("an alignment head that is not there", () => _model.CreateCache(states, [0], new DecoderCacheOptions { AlignmentHeads = [new(_info.DecoderLayers, 0)] }).Dispose());
        yield return ("a token outside the vocabulary", () => Decode(cache => _model.Decode(cache, [0, _info.VocabularySize], [], LogitPositions.None, [], [])));
        yield return ("a negative token", () => Decode(cache => _model.Decode(cache, [-1], [], LogitPositions.None, [], [])));
        yield return ("logits that are too short", () => Decode(cache => _model.Decode(cache, [0, 1], [], LogitPositions.All, new float[_info.VocabularySize], [])));
        yield return ("counts of a wrong length", () => Decode(cache => _model.Decode(cache, [0, 1], [1, 1], LogitPositions.None, [], [])));
        yield return ("a count above the width", () => Decode(cache => _model.Decode(cache, [0, 1], [3], LogitPositions.None, [], [])));
        yield return ("more tokens than the cache holds", () => Decode(cache => _model.Decode(cache, new int[5], [], LogitPositions.None, [], [])));
        yield return ("a reorder to a row that is not there", () => Decode(cache => cache.Reorder([1])));
        yield return ("a reorder to more rows than allowed", () => Decode(cache => cache.Reorder([0, 0])));

        void Decode(Action<IDecoderCache> action)
        {
            using var cache = _model.CreateCache(states, [0], new DecoderCacheOptions { Capacity = 4 });
            action(cache);
        }
    }

    private string CheckMemory(IEncoderStates states)
    {
        const int measured = 200;

        // What a step may keep: less than any tensor of logits, with room for what allocators and the runtime hold back.
        const long allowedBytes = 24L << 20;
        using var cache = _model.CreateCache(states, [0, 1, 2], new DecoderCacheOptions { Capacity = Math.Min(64, _info.MaxTargetPositions) });
        var logits = new float[3 * _info.VocabularySize];
        Step(measured / 2);
        var before = Resident();
        Step(measured);
        var grown = Resident() - before;
        Expect.That(grown <= allowedBytes, $"{measured} steps left {grown >> 20} MiB behind");
        return $"{grown / 1024.0:f0} KiB in {measured} steps";

        void Step(int count)
        {
            for (var i = 0; i < count; i++)
            {
                if (cache.Length(0) == cache.Capacity)
                {
                    cache.Truncate(1);
                }

                cache.Reorder([1, 0, 2]);
                _model.Decode(cache, _tokens.AsSpan(0, 3), [], LogitPositions.Last, logits, []);
            }
        }

        static long Resident()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            using var process = System.Diagnostics.Process.GetCurrentProcess();
            return process.WorkingSet64;
        }
    }

    private int[] Row(int row) => _tokens[(row * (Steps + 2))..((row * (Steps + 2)) + Steps)];

    private ReadOnlySpan<float> Slice(float[] logits, int position) => logits.AsSpan(position * _info.VocabularySize, _info.VocabularySize);

    private float[] Encoded(ReadOnlySpan<float> features, int batch)
    {
        using var states = _model.Encode(features, batch, Frames);
        var values = new float[batch * states.Positions * _info.Width];
        states.CopyTo(values);
        return values;
    }

    /// <summary>Logits of a row by itself in one call: <c>[step, vocabulary]</c>.</summary>
    private float[] TeacherForced(IEncoderStates states, int source, int[] tokens)
    {
        using var cache = _model.CreateCache(states, [source], new DecoderCacheOptions());
        var logits = new float[tokens.Length * _info.VocabularySize];
        _model.Decode(cache, tokens, [], LogitPositions.All, logits, []);
        return logits;
    }
}
