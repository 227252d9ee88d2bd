using System.Runtime.CompilerServices;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using Microsoft.AspNetCore.SignalR;

namespace AsrPlatform.Host.Live;

/// <summary>The SignalR hub <c>/hubs/captions</c>; docs/live-protocol.md is its contract.</summary>
internal sealed class CaptionHub(LiveSessionStore sessions, ILogger<CaptionHub> logger) : Hub
{
    public const string Route = "/hubs/captions";

    /// <summary>Starts a session, or resumes the one of that id.</summary>
    public Task<SessionPosition> StartSession(StartSessionRequest? request) =>
        Guard(() => sessions.StartSessionAsync(request ?? new StartSessionRequest(), Context.ConnectionAborted));

    /// <summary>Takes audio from an offset on and acknowledges it; its end ends nothing.</summary>
    public IAsyncEnumerable<AudioAcknowledgement> StreamAudio(
        string sessionId,
        long offsetSamples,
        ChannelReader<string> audio,
        CancellationToken cancellationToken) =>
        Guard(token => sessions.Get(sessionId).ReceiveAsync(offsetSamples, audio, token), cancellationToken);

    /// <summary>Decodes and commits what is left; returns when that is done.</summary>
    public Task<SessionPosition> EndSession(string sessionId) =>
        Guard(() => sessions.EndAsync(sessionId, Context.ConnectionAborted));

    /// <summary>Sends the captions after a sequence, then follows until the session is over.</summary>
    public IAsyncEnumerable<CaptionUpdate> WatchCaptions(string sessionId, long afterSequence, CancellationToken cancellationToken) =>
        Guard(token => sessions.WatchAsync(sessionId, afterSequence, token), cancellationToken);

    /// <summary>Shows a person's text to all viewers, and returns the update that does. It is kept before it is shown.</summary>
    public Task<CaptionUpdate> SubmitCorrection(Correction correction) =>
        Guard(() => sessions.CorrectAsync(correction));

    /// <summary>
    /// What the user can act on reaches the client with its message. The rest is a defect: logged here, hidden by SignalR, whose own log
    /// of failed calls is off because it takes the first for the second.
    /// </summary>
    private async Task<T> Guard<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (AsrException error)
        {
            throw new HubException(error.Message);
        }
        catch (Exception error) when (LogDefect(error))
        {
            throw;
        }
    }

    private async IAsyncEnumerable<T> Guard<T>(
        Func<CancellationToken, IAsyncEnumerable<T>> open,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        IAsyncEnumerator<T>? items = null;
        try
        {
            while (true)
            {
                try
                {
                    items ??= open(cancellationToken).GetAsyncEnumerator(cancellationToken);
                    if (!await items.MoveNextAsync())
                    {
                        break;
                    }
                }
                catch (AsrException error)
                {
                    throw new HubException(error.Message);
                }
                catch (Exception error) when (LogDefect(error))
                {
                    throw;
                }

                yield return items.Current;
            }
        }
        finally
        {
            if (items is not null)
            {
                await items.DisposeAsync();
            }
        }
    }

    /// <summary>An exception filter that never catches: it logs before the stack unwinds.</summary>
    private bool LogDefect(Exception error)
    {
        // Those of a sender or viewer that is gone are none.
        if (error is not (OperationCanceledException or HubException))
        {
            logger.LogError(error, "A call of the hub failed");
        }

        return false;
    }
}
