using System.Runtime.CompilerServices;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Api.OpenAi;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper.Tokens;
using Microsoft.Extensions.AI;
using TranscriptionOptions = AsrPlatform.Abstractions.Decoding.TranscriptionOptions;

namespace AsrPlatform.Host.Api;

/// <summary>The host's recogniser as .NET's own abstraction of speech to text, for code inside the host and for embedders.</summary>
/// <remarks>
/// Takes audio of any format that the host can decode. <c>SpeechLanguage</c> is a code or name, left out it is detected; a
/// <c>TextLanguage</c> of English with speech in another or an unsaid language translates, and no other translation is offered. A
/// <c>RawRepresentationFactory</c> may give the <see cref="TranscriptionOptions"/> to start from. Safe for concurrent calls.
/// </remarks>
internal sealed class PlatformSpeechToTextClient(ModelHost model, FileTranscriber files) : ISpeechToTextClient
{
    private const string ProviderName = "asrplatform";

    /// <inheritdoc />
    /// <exception cref="AsrException">There is no recogniser, it is busy, or it cannot use the audio or an option.</exception>
    public async Task<SpeechToTextResponse> GetTextAsync(
        Stream audioSpeechStream,
        SpeechToTextOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(audioSpeechStream);
        var (info, decoding) = await PrepareAsync(options, cancellationToken);
        var result = await TranscribeAsync(audioSpeechStream, decoding, progress: null, cancellationToken);
        return new SpeechToTextResponse(result.Text.Trim())
        {
            ResponseId = NewId(),
            ModelId = info.Name,
            StartTime = TimeSpan.Zero,
            EndTime = TimeSpan.FromSeconds(result.DurationSeconds),
            RawRepresentation = result,
            AdditionalProperties = new() { ["language"] = result.Language },
        };
    }

    /// <inheritdoc />
    /// <remarks>One update a segment, with its times and the <see cref="TranscriptSegment"/>, as soon as it is known.</remarks>
    /// <exception cref="AsrException">There is no recogniser, it is busy, or it cannot use the audio or an option.</exception>
    public async IAsyncEnumerable<SpeechToTextResponseUpdate> GetStreamingTextAsync(
        Stream audioSpeechStream,
        SpeechToTextOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(audioSpeechStream);
        var (info, decoding) = await PrepareAsync(options, cancellationToken);
        var id = NewId();
        var segments = Channel.CreateUnbounded<TranscriptSegment>();

        // Who stops reading stops the work.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var work = RunAsync();
        var sent = 0;
        try
        {
            yield return Update(SpeechToTextResponseUpdateKind.SessionOpen, null);
            await foreach (var segment in segments.Reader.ReadAllAsync(cancellationToken))
            {
                yield return Update(SpeechToTextResponseUpdateKind.TextUpdated, segment);
                sent++;
            }

            var result = await work;
            foreach (var segment in result.Segments.Skip(sent))
            {
                yield return Update(SpeechToTextResponseUpdateKind.TextUpdated, segment);
            }

            var close = Update(SpeechToTextResponseUpdateKind.SessionClose, null);
            close.EndTime = TimeSpan.FromSeconds(result.DurationSeconds);
            close.RawRepresentation = result;
            yield return close;
        }
        finally
        {
            await stop.CancelAsync();
            await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task<TranscriptionResult> RunAsync()
        {
            try
            {
                return await TranscribeAsync(
                    audioSpeechStream,
                    decoding,
                    progress =>
                    {
                        foreach (var segment in progress.Segments)
                        {
                            segments.Writer.TryWrite(segment);
                        }
                    },
                    stop.Token);
            }
            finally
            {
                segments.Writer.Complete();
            }
        }

        SpeechToTextResponseUpdate Update(SpeechToTextResponseUpdateKind kind, TranscriptSegment? segment) => new(segment is null ? [] : [new TextContent(segment.Text)])
        {
            Kind = kind,
            ResponseId = id,
            ModelId = info.Name,
            StartTime = segment is null ? null : TimeSpan.FromSeconds(segment.Start),
            EndTime = segment is null ? null : TimeSpan.FromSeconds(segment.End),
            RawRepresentation = segment,
        };
    }

    /// <inheritdoc />
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(SpeechToTextClientMetadata) ? new SpeechToTextClientMetadata(ProviderName, defaultModelId: model.Snapshot.Info?.Name)
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <summary>Does nothing: the recogniser is the host's.</summary>
    public void Dispose()
    {
    }

    private static string NewId() => Guid.NewGuid().ToString("N");

    private async Task<(RecognizerInfo Info, TranscriptionOptions Decoding)> PrepareAsync(SpeechToTextOptions? options, CancellationToken cancellationToken)
    {
        try
        {
            var (info, adapter) = await OpenAiModels.ResolveAsync(model, options?.ModelId, cancellationToken);
            var decoding = options?.RawRepresentationFactory?.Invoke(this) as TranscriptionOptions ?? new TranscriptionOptions();
            var language = options?.SpeechLanguage is { Length: > 0 } speech ? CodeOf(speech) : decoding.Language;
            var task = decoding.Task;
            if (options?.TextLanguage is { Length: > 0 } text)
            {
                var into = CodeOf(text);
                task = into == language ? TranscriptionTask.Transcribe
                    : into == "en" ? TranscriptionTask.Translate
                    : throw new AsrException($"speech cannot be translated into '{text}': English is the only language that it can be translated into");
            }

            return (info, decoding with { Language = language, Task = task, Adapter = adapter ?? decoding.Adapter });
        }
        catch (OpenAiException error)
        {
            throw new AsrException(error.Message, error);
        }
    }

    /// <summary>Takes tags such as <c>en-US</c> too: recognisers know languages, not regions.</summary>
    private static string CodeOf(string language) => WhisperLanguages.FindCode(language) ?? WhisperLanguages.GetCode(language.Split('-')[0]);

    private async Task<TranscriptionResult> TranscribeAsync(
        Stream stream,
        TranscriptionOptions decoding,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        using var place = files.TryEnter() ?? throw new AsrException("as many files are being transcribed as OpenAi:MaximumRequests allows: try again later");
        using var audio = await Task.Run(() => AudioFile.Open(stream, "the audio"), cancellationToken);
        return await files.TranscribeAsync(audio, decoding, chunking: null, progress, cancellationToken);
    }
}
