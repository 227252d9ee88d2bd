using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>A <see cref="ToneRecognizer"/> that takes adapters and says with every word which one heard it: <c>w3/ADAPTER</c>.</summary>
internal sealed class AdaptedRecognizer : ISpeechRecognizer, IAdapterSlots
{
    private readonly HashSet<string> _resident = new(StringComparer.Ordinal);
    private readonly List<int> _threads = [];

    public ToneRecognizer Tones { get; } = new();

    /// <summary>Told what is put on and taken off: <c>+name</c>, <c>-name</c>.</summary>
    public Action<string>? OnChange { get; set; }

    /// <summary>Adapters that cannot be loaded.</summary>
    public HashSet<string> Broken { get; } = [];

    /// <summary>Adapters on it.</summary>
    public IReadOnlyList<string> Resident
    {
        get
        {
            lock (_resident)
            {
                return [.. _resident.Order(StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Threads that it was used on.</summary>
    public IReadOnlyCollection<int> Threads => _threads.Distinct().ToArray();

    public RecognizerInfo Info { get; private set; } = new() { Name = "tones", Backend = "test", SampleRateHz = SpokenAudio.SampleRateHz, Languages = ["en"] };

    public bool Takes(ISpeechRecognizer recognizer) => recognizer == this;

    public void Add(ISpeechRecognizer recognizer, string name, string directory)
    {
        _threads.Add(Environment.CurrentManagedThreadId);
        if (Broken.Contains(name))
        {
            throw new AsrException($"{directory} does not fit");
        }

        lock (_resident)
        {
            Assert.True(_resident.Add(name), $"{name} is loaded twice");
            Info = Info with { Adapters = [.. _resident] };
        }

        OnChange?.Invoke("+" + name);
    }

    public void Remove(ISpeechRecognizer recognizer, string name)
    {
        _threads.Add(Environment.CurrentManagedThreadId);
        Assert.NotEqual(name, Info.AdapterVersion);
        lock (_resident)
        {
            Assert.True(_resident.Remove(name), $"{name} is not there");
            Info = Info with { Adapters = [.. _resident] };
        }

        OnChange?.Invoke("-" + name);
    }

    public void Use(ISpeechRecognizer recognizer, string? name)
    {
        _threads.Add(Environment.CurrentManagedThreadId);
        Info = Info with { AdapterVersion = Require(name ?? "none") };
    }

    public TranscriptionResult Transcribe(
        IAudioSource audio, TranscriptionOptions options, Action<TranscriptionProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        _threads.Add(Environment.CurrentManagedThreadId);
        var adapter = options.Adapter is null ? Info.AdapterVersion : Require(options.Adapter);
        var result = Tones.Transcribe(audio, options, progress, cancellationToken);
        return result with
        {
            Text = string.Concat(result.Segments.SelectMany(segment => segment.Words!).Select(word => $"{word.Word}/{adapter}")),
            Segments =
            [
                .. result.Segments.Select(segment => segment with
                {
                    Text = string.Concat(segment.Words!.Select(word => $"{word.Word}/{adapter}")),
                    Words = [.. segment.Words!.Select(word => word with { Word = $"{word.Word}/{adapter}" })],
                }),
            ],
            AdapterVersion = adapter,
        };
    }

    public void Dispose() => Tones.Dispose();

    private string Require(string name)
    {
        lock (_resident)
        {
            return name == "none" ? "base" : _resident.Contains(name) ? name : throw new AsrException($"the adapter {name} is not on the recogniser");
        }
    }
}
