using System.Text;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Serving;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Api.OpenAi;

/// <summary><c>POST /v1/audio/transcriptions</c> and <c>/v1/audio/translations</c>.</summary>
internal sealed class AudioEndpoints(ModelHost model, ActiveAdapters adapters, FileTranscriber files, IOptions<OpenAiOptions> options, ILogger<AudioEndpoints> logger)
{
    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext context, TranscriptionTask task)
    {
        try
        {
            using var place = files.TryEnter() ?? throw Busy(context);
            using var upload = await AudioUpload.ReadAsync(context.Request, options.Value.MaximumUploadBytes, context.RequestAborted);
            await AnswerAsync(context, upload, task);
        }
        catch (Exception error) when (context.RequestAborted.IsCancellationRequested && error is OperationCanceledException or IOException)
        {
            // The client is gone, and so is the work.
        }
        catch (OpenAiException error)
        {
            await FailAsync(context, error.StatusCode, error.Error);
        }
        catch (OperationCanceledException)
        {
            await FailAsync(context, StatusCodes.Status503ServiceUnavailable, new OpenAiError("The host is shutting down.", OpenAiErrorTypes.Server));
        }
        catch (Exception error)
        {
            logger.LogError(error, "A transcription failed");
            await FailAsync(context, StatusCodes.Status500InternalServerError, new OpenAiError("The transcription failed; the host's log says why.", OpenAiErrorTypes.Server));
        }
    }

    private async Task AnswerAsync(HttpContext context, AudioUpload upload, TranscriptionTask task)
    {
        var cancelled = context.RequestAborted;
        var request = AudioRequest.Read(upload, task);
        var (info, adapter) = await OpenAiModels.ResolveAsync(model, request.Model, cancelled);
        if (request.Decoding.Language is { } language && info.Languages.Count > 0 && !info.Languages.Contains(language, StringComparer.Ordinal))
        {
            throw OpenAiException.Invalid($"The model {info.Name} does not know the language '{language}'.", "language", "unsupported_language");
        }

        using var chosen = await ChooseAsync(request.Adapter, cancelled);
        request = request with { Decoding = request.Decoding with { Adapter = chosen is null ? adapter : chosen.Current } };

        // Whether the decoder can read it shows when it has started, which takes a moment.
        using var audio = await Task.Run(upload.OpenAudio, cancelled);
        try
        {
            if (request.Stream)
            {
                await StreamAsync(context, request, progress => files.TranscribeAsync(audio, request.Decoding, request.Chunking, progress, cancelled));
            }
            else
            {
                var result = await files.TranscribeAsync(audio, request.Decoding, request.Chunking, progress: null, cancelled);
                await AudioResponses.Of(result, request).ExecuteAsync(context);
            }
        }
        catch (AsrException error)
        {
            throw OpenAiException.Invalid(upload.Clean(error.Message));
        }
    }

    /// <summary>Has an adapter ready until it is disposed; null where none is asked for.</summary>
    private async Task<SessionAdapter?> ChooseAsync(string? adapter, CancellationToken cancellationToken)
    {
        try
        {
            return adapter is null ? null : await adapters.OpenAsync(adapter, tenant: null, speaker: null, cancellationToken);
        }
        catch (AsrException error)
        {
            throw OpenAiException.Invalid(error.Message, "adapter");
        }
    }

    /// <summary>Sends the text of each segment when it is known. What goes wrong before the first one still has its status code.</summary>
    private static async Task StreamAsync(HttpContext context, AudioRequest request, Func<Action<TranscriptionProgress>, Task<TranscriptionResult>> transcribe)
    {
        var segments = Channel.CreateUnbounded<TranscriptSegment>(new UnboundedChannelOptions { SingleReader = true });
        var work = Task.Run(async () =>
        {
            try
            {
                return await transcribe(progress =>
                {
                    foreach (var segment in progress.Segments)
                    {
                        segments.Writer.TryWrite(segment);
                    }
                });
            }
            finally
            {
                segments.Writer.Complete();
            }
        });
        try
        {
            var text = new StringBuilder();
            var sent = 0;
            await foreach (var segment in segments.Reader.ReadAllAsync())
            {
                await SendAsync([segment]);
                sent++;
            }

            // A recogniser need not tell of segments before the end.
            var result = await work;
            await SendAsync(result.Segments.Count > 0
                ? result.Segments.Skip(sent)
                : [new TranscriptSegment { Id = 0, Start = 0, End = result.DurationSeconds, Text = result.Text }]);
            await WriteAsync(context, AudioResponses.Done(text.ToString(), result, request));

            async Task SendAsync(IEnumerable<TranscriptSegment> some)
            {
                foreach (var segment in some)
                {
                    var delta = text.Length == 0 ? segment.Text.TrimStart() : segment.Text;
                    if (delta.Length > 0)
                    {
                        text.Append(delta);
                        await WriteAsync(context, AudioResponses.Delta(delta, TokenLogProbability.Of(request.LogProbabilities, [segment])));
                    }
                }
            }
        }
        finally
        {
            // The audio is the caller's again only when nobody reads it.
            await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task WriteAsync(HttpContext context, string text)
    {
        if (!context.Response.HasStarted)
        {
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            context.Response.ContentType = "text/event-stream; charset=utf-8";
            context.Response.Headers.CacheControl = "no-cache";
        }

        await context.Response.WriteAsync(text, context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    /// <summary>An error as the answer, or as the last event of a stream that has begun.</summary>
    private static Task FailAsync(HttpContext context, int statusCode, OpenAiError error) => context.Response.HasStarted
        ? WriteAsync(context, AudioResponses.Event(new { Type = "error", Error = error }))
        : error.ToResult(statusCode).ExecuteAsync(context);

    private OpenAiException Busy(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "1";
        return new OpenAiException(
            StatusCodes.Status429TooManyRequests,
            new OpenAiError($"{options.Value.MaximumRequests} files are being transcribed, the most that OpenAi:MaximumRequests allows: try again later.", OpenAiErrorTypes.RateLimit, Code: "rate_limit_exceeded"));
    }
}
