using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR;

namespace AsrPlatform.Host.Live.Client;

/// <summary>Connects to the hub of this process through memory: the whole protocol, without a port.</summary>
internal sealed class InProcessConnectionFactory(HubConnectionHandler<CaptionHub> hub) : IConnectionFactory
{
    public ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var (left, right) = DuplexPipe.CreatePair();
        var id = Guid.NewGuid().ToString("N");
        var client = new DefaultConnectionContext(id) { Transport = left };
        var server = new DefaultConnectionContext(id) { Transport = right };
        _ = ServeAsync(server);
        return ValueTask.FromResult<ConnectionContext>(client);
    }

    private async Task ServeAsync(DefaultConnectionContext connection)
    {
        await using (connection)
        {
            try
            {
                await hub.OnConnectedAsync(connection);
            }
            finally
            {
                await connection.Transport.Output.CompleteAsync();
                await connection.Transport.Input.CompleteAsync();
            }
        }
    }
}
