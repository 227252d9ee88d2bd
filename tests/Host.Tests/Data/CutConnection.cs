using System.IO.Pipelines;
using System.Net;
using AsrPlatform.Host.Live.Client;
using Microsoft.AspNetCore.Connections;

namespace AsrPlatform.Host.Tests.Data;

/// <summary>A connection that breaks after a number of bytes in either direction, in the middle of whatever it carries: what is under way is lost.</summary>
internal sealed class CutConnection(IConnectionFactory inner, long bytesUp, long bytesDown) : IConnectionFactory
{
    public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var far = await inner.ConnectAsync(endpoint, cancellationToken);
        var (near, wire) = DuplexPipe.CreatePair();
        var broken = new CancellationTokenSource();
        _ = CarryAsync(wire.Input, far.Transport.Output, bytesUp, broken);
        _ = CarryAsync(far.Transport.Input, wire.Output, bytesDown, broken);
        return new DefaultConnectionContext(far.ConnectionId) { Transport = near };
    }

    private static async Task CarryAsync(PipeReader from, PipeWriter to, long bytes, CancellationTokenSource broken)
    {
        try
        {
            while (bytes > 0)
            {
                var read = await from.ReadAsync(broken.Token);
                var some = read.Buffer.Slice(0, Math.Min(bytes, read.Buffer.Length));
                bytes -= some.Length;
                foreach (var segment in some)
                {
                    await to.WriteAsync(segment, broken.Token);
                }

                from.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    break;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The other direction broke.
        }
        catch (InvalidOperationException)
        {
            // An end is gone.
        }

        await broken.CancelAsync();
        var error = new IOException("the connection broke");
        await to.CompleteAsync(error);
        await from.CompleteAsync(error);
    }
}
