using System.Runtime.CompilerServices;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Security;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Live;

/// <summary>The SignalR hub <c>/hubs/captions</c>; docs/live-protocol.md is its contract.</summary>
internal sealed class CaptionHub(
    LiveSessionStore sessions,
    SessionQuota quota,
    CorrectionLimiter limiter,
    IOptions<LimitOptions> limits,
    TimeProvider time,
    ILogger<CaptionHub> logger) : Hub
{
    public const string Route = "/hubs/captions";

    /// <summary>A client that sent nothing for so long has no item on its way: well above a round through a busy machine's thread pool.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>How long the end of an answer waits for a client that goes on sending.</summary>
    private static readonly TimeSpan LongestFlood = TimeSpan.FromSeconds(5);

    /// <summary>Starts a session, or resumes the one of that id.</summary>
    [LeastRole(Role.Speaker)]
    public Task<SessionPosition> StartSession(StartSessionRequest? request) =>
        quota.StartAsync(Caller.Of(Context)!, request ?? new StartSessionRequest(), Context.ConnectionAborted);

    /// <summary>Takes audio from an offset on and acknowledges it; its end ends nothing.</summary>
    [LeastRole(Role.Speaker)]
    public IAsyncEnumerable<AudioAcknowledgement> StreamAudio(
        string sessionId,
        long offsetSamples,
        ChannelReader<string> audio,
        CancellationToken cancellationToken) =>
        Guard(
            token => ReadToItsEnd(
                audio,
                () =>
                {
                    var session = sessions.Get(sessionId);
                    return session.ReceiveAsync(offsetSamples, Meter.Count(audio, session), token);
                },
                token),
            cancellationToken);

    /// <summary>Decodes and commits what is left; returns when that is done.</summary>
    [LeastRole(Role.Speaker)]
    public Task<SessionPosition> EndSession(string sessionId) => sessions.EndAsync(sessionId, Context.ConnectionAborted);

    /// <summary>Sends the captions after a sequence, then follows until the session is over.</summary>
    [LeastRole(Role.Viewer)]
    public IAsyncEnumerable<CaptionUpdate> WatchCaptions(string sessionId, long afterSequence, CancellationToken cancellationToken) =>
        Guard(token => sessions.WatchAsync(sessionId, afterSequence, token), cancellationToken);

    /// <summary>Shows a person's text to all viewers, and returns the update that does. It is kept before it is shown.</summary>
    [LeastRole(Role.Corrector)]
    public Task<CaptionUpdate> SubmitCorrection(Correction? correction) => correction is null
        ? throw new AsrException("a correction is needed: {id, sessionId, segmentId, sequence, text}")
        : limiter.Refuse(Caller.Of(Context)!, correction.Author) is { } refused ? throw new AsrException(refused)
        : sessions.CorrectAsync(correction);

    /// <summary>
    /// Takes what still comes once the answer is over: SignalR closes the whole connection when a call ends while an item waits for room in
    /// the call's full buffer. So the answer ends only when the client has stopped for a moment, or after seconds in which it did not.
    /// The reading ends with the call, which closes the channel.
    /// </summary>
    private static async IAsyncEnumerable<AudioAcknowledgement> ReadToItsEnd(
        ChannelReader<string> audio,
        Func<IAsyncEnumerable<AudioAcknowledgement>> receive,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var acknowledgement in receive().WithCancellation(cancellationToken))
            {
                yield return acknowledgement;
            }
        }
        finally
        {
            using var flood = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            flood.CancelAfter(LongestFlood);
            await DiscardAsync(audio, flood.Token);
            _ = DrainAsync(audio);
        }
    }

    /// <summary>Discards audio until none has come for a moment, or no more can.</summary>
    private static async Task DiscardAsync(ChannelReader<string> audio, CancellationToken cancellationToken)
    {
        try
        {
            var more = true;
            while (more)
            {
                using var moment = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                moment.CancelAfter(Pause);
                more = await audio.WaitToReadAsync(moment.Token);
                while (audio.TryRead(out _))
                {
                }
            }
        }
        catch (Exception)
        {
            // A moment without audio; or the connection ended, or the client said why it stopped: nobody wants this audio.
        }
    }

    private static async Task DrainAsync(ChannelReader<string> audio)
    {
        try
        {
            await foreach (var _ in audio.ReadAllAsync())
            {
            }
        }
        catch (Exception)
        {
            // The connection ended, or the client said why it stopped: nobody wants this audio.
        }
    }

    /// <summary>Of this connection: a hub object lives for one call.</summary>
    private AudioMeter Meter
    {
        get
        {
            lock (Context.Items)
            {
                return (AudioMeter)(Context.Items[typeof(AudioMeter)] ??= new AudioMeter(limits.Value, time));
            }
        }
    }

    /// <summary>
    /// What the user can act on reaches the client with its message. The rest is a defect: logged here, and hidden. SignalR's own log
    /// of failed calls is off because it takes the first for the second. (Calls that are no streams: <see cref="RoleFilter"/>.)
    /// </summary>
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
                catch (Exception error) when (error is not (HubException or OperationCanceledException))
                {
                    if (error is not AsrException)
                    {
                        logger.LogError(error, "A stream of the hub failed");
                    }

                    throw new HubException(RoleFilter.Explain(error));
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
}
