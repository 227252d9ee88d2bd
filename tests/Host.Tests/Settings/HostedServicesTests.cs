using AsrPlatform.Host.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AsrPlatform.Host.Tests.Settings;

public sealed class HostedServicesTests
{
    [Fact]
    public async Task AddHosted_AService_StartsAndStopsItWithTheHostAndDisposesItOnce()
    {
        Counted service;
        await using (var provider = new ServiceCollection().AddHosted<Counted>().BuildServiceProvider())
        {
            var hosted = Assert.Single(provider.GetServices<IHostedService>());
            service = provider.GetRequiredService<Counted>();
            await hosted.StartAsync(TestContext.Current.CancellationToken);
            await hosted.StopAsync(TestContext.Current.CancellationToken);
        }

        Assert.Equal((1, 1, 1), (service.Starts, service.Stops, service.Disposals));
    }

    private sealed class Counted : IHostedService, IAsyncDisposable
    {
        public int Starts { get; private set; }

        public int Stops { get; private set; }

        public int Disposals { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken)
        {
            Starts++;
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken)
        {
            Stops++;
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            Disposals++;
            return ValueTask.CompletedTask;
        }
    }
}
