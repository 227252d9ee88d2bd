using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Decoding.HuggingFace;
using AsrPlatform.Whisper.Decoding.OpenAi;
using AsrPlatform.Whisper.Features;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper;

/// <summary>A Whisper checkpoint on any backend: its model, features and tokenizer, and the algorithms that decode with them.</summary>
public sealed class WhisperRecognizer : ISpeechRecognizer
{
    private const string Base = "base";

    private readonly IReadOnlyList<ISpeechDecoder> _decoders;
    private readonly Dictionary<string, IAdapter> _adapters = new(StringComparer.Ordinal);
    private volatile RecognizerInfo _info;

    /// <summary>Puts a recogniser together from its parts.</summary>
    /// <param name="name">Name for people and APIs.</param>
    /// <param name="parts">The checkpoint's parts; the model becomes the recogniser's.</param>
    /// <param name="decoders">The algorithms to choose from.</param>
    public WhisperRecognizer(string name, WhisperDecoderInput parts, IReadOnlyList<ISpeechDecoder> decoders)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(decoders);
        Parts = parts;
        _decoders = decoders;
        _info = new RecognizerInfo
        {
            Name = name,
            Backend = $"{parts.Model.Info.Backend} ({parts.Model.Info.Device})",
            SampleRateHz = parts.Features.SampleRateHz,
            SupportsWordTimes = parts.Model.Info.SupportsAlignment,
            Languages = parts.Tokenizer.IsMultilingual ? [.. parts.Tokenizer.Languages.Select(language => language.Code)] : [],
        };
    }

    /// <summary>The decoding algorithms that Whisper brings.</summary>
    public static IReadOnlyList<ISpeechDecoder> DefaultDecoders { get; } = [new OpenAiDecoder(), new HuggingFaceDecoder(), new ChunkedDecoder()];

    /// <inheritdoc />
    public RecognizerInfo Info => _info;

    /// <summary>The model, features, tokenizer and configurations, for what works below whole transcriptions; owned by the recogniser.</summary>
    public WhisperDecoderInput Parts { get; }

    /// <summary>Loads a checkpoint folder into a backend.</summary>
    /// <param name="backend">The engine.</param>
    /// <param name="options">The folder, device and threads.</param>
    /// <param name="decoders">The algorithms to choose from; null takes <see cref="DefaultDecoders"/>.</param>
    /// <param name="cancellationToken">Stops loading.</param>
    /// <returns>A recogniser that the caller disposes.</returns>
    /// <exception cref="AsrException">No folder is given, or something in it is missing, broken or contradictory; the message says what.</exception>
    public static WhisperRecognizer Load(
        ISeq2SeqBackend backend,
        ModelLoadOptions options,
        IReadOnlyList<ISpeechDecoder>? decoders = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(options);
        var directory = options.ModelDirectory ?? throw new AsrException("No model folder is given: name one with --model DIR.");
        if (!backend.CanLoad(directory, out var reason))
        {
            throw new AsrException($"The backend \"{backend.Name}\" cannot load {directory}: {reason}");
        }

        // The small files first: what is wrong with them shows before the weights are read.
        var config = WhisperConfig.Load(directory);
        var generation = GenerationConfig.Load(directory, config);
        var features = LogMelExtractor.Of(PreprocessorConfig.Load(directory, config));
        var tokenizer = WhisperTokenizer.Load(directory, config);
        var model = backend.Load(options, cancellationToken);
        try
        {
            var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)));
            return new WhisperRecognizer(name, new WhisperDecoderInput(model, features, tokenizer, config, generation), decoders ?? DefaultDecoders);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Takes an adapter over, so that requests can choose it by its name.</summary>
    /// <param name="adapter">An adapter on this recogniser's model; the recogniser disposes it.</param>
    /// <exception cref="AsrException">The name stands for something else, or an adapter of that name is there.</exception>
    public void AddAdapter(IAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        if (adapter.Name is "active" or "none" or Base || !_adapters.TryAdd(adapter.Name, adapter))
        {
            throw new AsrException($"An adapter cannot be called \"{adapter.Name}\": the name is taken.");
        }

        _info = _info with { Adapters = [.. _info.Adapters, adapter.Name] };
    }

    /// <summary>Chooses the adapter of requests that choose none: null for the base model. It takes effect with the next request.</summary>
    /// <exception cref="AsrException">There is no such adapter.</exception>
    public void UseAdapter(string? name)
    {
        var number = FindAdapter(name ?? "none").Number;
        if (Parts.Model is IMultiAdapterModel model)
        {
            model.ActiveAdapter = number;
        }

        _info = _info with { AdapterVersion = name ?? Base };
    }

    /// <summary>Removes an adapter and disposes it. Where it was in use, none is.</summary>
    /// <exception cref="AsrException">There is no such adapter.</exception>
    public void RemoveAdapter(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (_info.AdapterVersion == name)
        {
            UseAdapter(null);
        }

        if (!_adapters.Remove(name, out var adapter))
        {
            throw NoSuchAdapter(name);
        }

        _info = _info with { Adapters = [.. _info.Adapters.Where(other => other != name)] };
        adapter.Dispose();
    }

    /// <inheritdoc />
    public TranscriptionResult Transcribe(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(audio);
        ArgumentNullException.ThrowIfNull(options);
        var decoder = FindDecoder(options);
        if (audio.SampleRateHz != Info.SampleRateHz)
        {
            throw new AsrException($"The audio has {audio.SampleRateHz} samples per second; the model takes {Info.SampleRateHz}.");
        }

        return WithAdapter(options, name =>
            decoder.Decode(Parts, audio, OptionCheck.Check(options, Parts), progress, cancellationToken) with { AdapterVersion = name });
    }

    /// <summary>Whether <see cref="TranscribeMany"/> decodes windows of several files together with these options.</summary>
    /// <exception cref="AsrException">There is no such algorithm.</exception>
    public bool BatchesFiles(TranscriptionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.BatchSize > 1 && FindDecoder(options) is IBatchSpeechDecoder;
    }

    /// <summary>Transcribes files, windows of several together.</summary>
    /// <param name="audio">The files, each at <see cref="RecognizerInfo.SampleRateHz"/>; taken and read one after the other.</param>
    /// <param name="options">How; see <see cref="BatchesFiles"/>.</param>
    /// <param name="finished">Told each file with its number, in their order, on the calling thread.</param>
    /// <param name="progress">Told a file's number and how far it is; may be null.</param>
    /// <param name="cancellationToken">Stops between two decoding steps.</param>
    /// <exception cref="AsrException">An option cannot be used, or the algorithm decodes no files together.</exception>
    public void TranscribeMany(
        IEnumerable<IAudioSource> audio,
        TranscriptionOptions options,
        Action<int, FileTranscription> finished,
        Action<int, TranscriptionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(audio);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(finished);
        var decoder = FindDecoder(options) as IBatchSpeechDecoder
            ?? throw new AsrException($"--algorithm {options.Algorithm} decodes one file after the other: use --algorithm {ChunkedDecoder.Defaults.Algorithm}.");
        _ = WithAdapter(options, name =>
        {
            decoder.DecodeMany(
                Parts,
                audio,
                OptionCheck.Check(options, Parts),
                (index, file) => finished(index, file with { Result = file.Result is { } result ? result with { AdapterVersion = name } : null }),
                progress,
                cancellationToken);
            return true;
        });
    }

    private ISpeechDecoder FindDecoder(TranscriptionOptions options) =>
        _decoders.FirstOrDefault(decoder => string.Equals(decoder.Name, options.Algorithm, StringComparison.OrdinalIgnoreCase))
            ?? throw new AsrException(
                $"Unknown algorithm \"{options.Algorithm}\": this model has {string.Join(", ", _decoders.Select(decoder => decoder.Name))}.");

    // Runs work with the adapter that the options choose, and tells it the adapter's version.
    private T WithAdapter<T>(TranscriptionOptions options, Func<string, T> work)
    {
        var (name, number) = FindAdapter(options.Adapter);
        var model = Parts.Model as IMultiAdapterModel;
        var before = model?.ActiveAdapter;
        if (model is not null)
        {
            model.ActiveAdapter = number;
        }

        try
        {
            return work(name);
        }
        finally
        {
            if (model is not null)
            {
                model.ActiveAdapter = before!.Value;
            }
        }
    }

    /// <summary>The adapter that a request means: its version and its number on the model.</summary>
    /// <param name="chosen">As <see cref="TranscriptionOptions.Adapter"/>.</param>
    /// <exception cref="AsrException">There is no such adapter.</exception>
    public (string Name, int Number) FindAdapter(string? chosen)
    {
        var name = chosen switch
        {
            null or "active" => _info.AdapterVersion,
            "none" => Base,
            var other => other,
        };
        return name == Base ? (Base, IMultiAdapterModel.NoAdapter)
            : _adapters.TryGetValue(name, out var adapter) ? (name, adapter.Id)
            : throw NoSuchAdapter(name);
    }

    /// <summary>Frees the adapters and the model.</summary>
    public void Dispose()
    {
        foreach (var adapter in _adapters.Values)
        {
            adapter.Dispose();
        }

        _adapters.Clear();
        Parts.Model.Dispose();
    }

    private AsrException NoSuchAdapter(string name) => new(
        $"There is no adapter \"{name}\": {(_adapters.Count == 0 ? "none is loaded" : $"loaded are {string.Join(", ", _info.Adapters)}")}.");
}
